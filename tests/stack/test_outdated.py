"""The supervisor and rows of another version: built anew before the service starts, or the start ends in a sentence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chassis.runtime.container import migrate_service
from deploy.local import __main__ as terminal
from deploy.local import keys, processes
from deploy.local.process_supervision import Services
from deploy.local.processes import KEYS, PROCESSES
from deploy.local.subprocesses import StackError
from services.audit.app import SERVICE as AUDIT
from tests.databases import Databases
from tests.faults.doors import settings

ONLY = next(process for process in PROCESSES if process.name == "audit")


@asynccontextmanager
async def supervised(
    databases: Databases, var: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Services, list[str]]]:
    """A supervisor of the audit desk alone, whose rows an older version left, and the lines that it says."""
    monkeypatch.setattr(processes, "PROCESSES", (ONLY,))
    keys.provide(var / "keys", KEYS)
    (var / "keys" / "audit" / "witnesses.json").write_text("[]")
    here = settings(databases, var, "audit")
    await migrate_service(here, "audit", AUDIT.package)
    async with AUDIT.open_container(here) as standing, standing.inbox.running():
        pass  # its checkpoints are there
    owner = await databases.connect("audit", "owner")
    await owner.execute("UPDATE checkpoints SET version = version - 1")
    await owner.close()
    environment = {
        "PATH": os.environ["PATH"],
        "PARVANDEH_DATABASE_URL": here.database_url,
        "PARVANDEH_DATABASE_PREFIX": here.database_prefix,
    }
    said: list[str] = []
    supervisor = Services(var, environment, databases.passwords, lambda _name: {}, said.append)
    try:
        yield supervisor, said
    finally:
        await asyncio.to_thread(supervisor.stop)


async def test_rows_of_another_version_are_built_anew_and_the_service_starts(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(databases, tmp_path, monkeypatch) as (supervisor, said):
        await asyncio.to_thread(supervisor.start, databases.server.owner_password)
        assert "audit is newer than its rows: rebuilding them from the log" in said
        assert supervisor._ready(ONLY)
    own = await databases.connect("audit", "audit")
    assert [row["version"] for row in await own.fetch("SELECT DISTINCT version FROM checkpoints")] == [1]
    await own.close()


async def test_rows_that_cannot_be_built_anew_end_the_start_in_a_sentence(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(databases, tmp_path, monkeypatch) as (supervisor, _):
        own = await databases.connect("audit", "owner")
        await own.execute("UPDATE checkpoints SET halted = 'fork at 1' WHERE shard = 3")
        await own.close()
        with pytest.raises(StackError, match="the rows of audit could not be rebuilt"):
            await asyncio.to_thread(supervisor.start, databases.server.owner_password)


@pytest.mark.parametrize("command", ["rebuild", "parked"])
def test_every_service_is_asked_by_the_command_for_all_and_the_worst_answer_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def service(name: str, arguments: list[str]) -> int:
        asked.append((name, arguments))
        return int(name == "audit")

    monkeypatch.setattr(terminal, "service", service)
    assert {"rebuild": terminal.rebuild, "parked": terminal.parked}[command]() == 1
    assert asked == [(name, [command]) for name in ("intake", "review", "inquiry", "notify", "audit")]

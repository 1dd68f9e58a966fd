"""The audit desk at the terminal: its rows are built anew like every other's, and what it says to run can be run."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import asyncpg
import pytest

from chassis.exit_codes import OUTDATED, ROWS_DIFFERED
from chassis.refusal import NotBegun
from deploy.local.postgres import OWNER
from services.audit.app import SERVICE as AUDIT
from tests.conftest import ROOT
from tests.eventing.harness import eventually
from tests.web.city import PROCESSES, City, confirmed, opened


def typed(city: City, *command: str, owner: bool = False) -> tuple[int, str]:
    """The exit code of a module of ours as audit's process, and what it said; the owner's password is given to a rebuild."""
    environment = city.environment(command[0].removeprefix("services."))
    if owner:
        environment["PARVANDEH_OWNER_PASSWORD"] = city.databases.server.owner_password
    done = subprocess.run(
        [sys.executable, "-m", *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


async def rows(db: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await db.fetch("SELECT c::text FROM cases c ORDER BY stream")]


async def filled(city: City, tag: str) -> None:
    """Three cases that audit has read, and its door closed again."""
    for number in range(3):
        await confirmed(city.databases, f"{tag}{number}")
    door = AUDIT.create_app(city.settings_of("audit"))
    async with opened(door, "audit"):
        await eventually(lambda: door.state.container.inbox.caught_up("cases"))


async def test_its_rebuild_equals_its_rows_byte_for_byte_and_puts_right_what_was_damaged(city: City) -> None:
    await filled(city, "rebuilt")
    db = await city.databases.connect("audit", OWNER)
    before = await rows(db)
    assert len(before) >= 3
    code, said = await asyncio.to_thread(typed, city, "services.audit", "rebuild", owner=True)
    assert (code, "audit cases: rebuilt from" in said, "no row differed" in said) == (0, True, True), said
    assert await rows(db) == before
    await db.execute("UPDATE cases SET district = district + 1 WHERE stream = 'case:rebuilt0'")
    await db.execute("DELETE FROM cases WHERE stream = 'case:rebuilt1'")
    code, said = await asyncio.to_thread(typed, city, "services.audit", "rebuild", "cases", owner=True)
    assert (code, "now correct: 3 in cases" in said) == (ROWS_DIFFERED, True), said  # one as it is and as it must be, one gone
    assert await rows(db) == before
    code, said = await asyncio.to_thread(typed, city, "services.audit", "rebuild", "nothing", owner=True)
    assert (code, said) == (2, "audit has no reader nothing; it has cases\n")
    await db.close()
    await filled(city, "after")  # its own role may read and write what the owner has built


async def test_what_it_says_to_run_when_another_version_left_its_rows_is_there_and_lets_it_start(city: City) -> None:
    await filled(city, "outdated")
    db = await city.databases.connect("audit", OWNER)
    before = await rows(db)
    await db.execute("UPDATE checkpoints SET version = version - 1 WHERE reader = 'cases'")
    code, said = await asyncio.to_thread(typed, city, "services.audit", "serve")
    assert (code, said.count("\n")) == (OUTDATED, 1), said
    command = re.search(r"`python -m ([^`]+)`", said)
    assert command is not None, said
    code, said = await asyncio.to_thread(typed, city, *command[1].split(), owner=True)
    assert code in (0, ROWS_DIFFERED), said
    assert await rows(db) == before
    await db.close()
    await filled(city, "started")


async def test_a_parked_case_is_listed_and_let_go_on(city: City) -> None:
    await filled(city, "parked")
    db = await city.databases.connect("audit", OWNER)
    await db.execute("DELETE FROM cases WHERE stream = 'case:parked1'")
    row = "(reader, version, stream, shard, from_version, reason) VALUES ('cases', 1, 'case:parked1', 0, 1, 'test')"
    await db.execute(f"INSERT INTO parked_streams {row}")
    code, said = await asyncio.to_thread(typed, city, "services.audit", "parked")
    assert (code, said.splitlines()[-1]) == (1, "    release cases case:parked1"), said
    assert await asyncio.to_thread(typed, city, "services.audit", *said.splitlines()[-1].split()) == (0, "released\n")
    assert await db.fetchval("SELECT count(*) FROM cases WHERE stream = 'case:parked1'") == 1
    assert await asyncio.to_thread(typed, city, "services.audit", "parked") == (0, "audit nothing is parked\n")
    await db.close()


@pytest.mark.parametrize(("service", "reader"), [("audit", "cases"), ("notify", "messages")])
async def test_nothing_is_released_in_a_list_that_was_never_begun_and_that_is_said(city: City, service: str, reader: str) -> None:
    async with PROCESSES[service].open_container(city.settings_of(service)) as container:
        version = container.inbox.stores[reader].processor.version
    db = await city.databases.connect(service, OWNER)
    await db.execute("DELETE FROM checkpoints")
    row = "(reader, version, stream, shard, from_version, reason) VALUES ($1, $2, 'case:early', 0, 1, 'test')"
    await db.execute(f"INSERT INTO parked_streams {row}", reader, version)
    release = ("release", reader, "case:early")
    code, said = await asyncio.to_thread(typed, city, f"services.{service}", *release)
    assert (code, said) == (1, NotBegun.default_text() + "\n")
    assert await db.fetchval("SELECT count(*) FROM parked_streams") == 1
    async with opened(PROCESSES[service].create_app(city.settings_of(service)), service):
        pass  # it has begun
    assert await asyncio.to_thread(typed, city, f"services.{service}", *release) == (0, "released\n")
    await db.close()


async def test_it_has_the_commands_of_every_service_but_no_agenda(city: City) -> None:
    commands = {}
    for service in ("audit", "notify"):
        code, said = await asyncio.to_thread(typed, city, f"services.{service}", "--help")
        assert code == 0, said
        commands[service] = set(re.findall(r"^  (\w+)  ", said, re.MULTILINE))
    assert {"rebuild", "parked", "release", "serve", "account"} <= commands["audit"]
    assert commands["notify"] - commands["audit"] == {"agenda"}
    assert (await asyncio.to_thread(typed, city, "services.audit", "agenda"))[0] == 2

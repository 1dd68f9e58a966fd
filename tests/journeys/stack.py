"""The whole house as `make run` starts it, in a directory of the test's own; and what must hold of it afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from caselog.read import LogReader
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import EventProcessor
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from chassis.runtime.container import migrate_service
from chassis.settings import Settings
from deploy.demo.__main__ import audit
from deploy.demo.plan import Plan, Walked
from deploy.demo.walk import Walk
from deploy.kafka import jars
from deploy.local import roles
from deploy.local.processes import PROCESSES, kafka_port, postgres_port, service_urls
from deploy.local.subprocesses import StackError, start, wait_until
from services.audit.processors import processors as audit_readers
from services.inquiry.reactions import processors as inquiry_readers
from services.intake.reactions import processors as intake_readers
from services.notify.reactions import processors as notify_readers
from services.review.reactions import processors as review_readers
from tests.conftest import ROOT
from tests.eventing.harness import eventually

READERS: Final = {"intake": intake_readers, "review": review_readers, "inquiry": inquiry_readers, "notify": notify_readers}
"""Of the services that have a role in the vault; audit has none."""
TABLES: Final = {
    "intake": ("cases", "notices"),
    "review": ("cases", "reviewers", "escalations"),
    "inquiry": ("inquiries", "cases", "agencies"),
    "notify": ("messages",),
    "audit": ("cases",),
}
AGENDA: Final = "id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, due_at, recipient, details"
_REBUILD: Final = "rebuild_"


@asynccontextmanager
async def readers_of(service: str, keys: VaultKeys, vault: dict[str, Any]) -> AsyncIterator[Sequence[EventProcessor]]:
    """Every reader of a service as its processes have it; `vault`: how its role comes in there, where it has one."""
    if service not in READERS:
        yield audit_readers(keys)
        return
    async with asyncpg.create_pool(**vault, min_size=1, max_size=2) as pool:
        yield READERS[service](Vault(pool, keys))


@dataclass
class Stack:
    """A running house. `settings` are given to its processes."""

    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.var = Path(tempfile.mkdtemp(prefix="parvandeh-house-"))
        # Fetched into the shared directory: through a link that leads nowhere the house itself could not.
        (self.var / "kafka-jars").symlink_to(jars.provide(ROOT / "var" / "kafka-jars"))
        self.log = self.var / "run.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start as a person would, and wait for the line that says ready."""
        environment = {**os.environ, **self.settings, "PARVANDEH_VAR": str(self.var)}
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", "deploy.local", "run"]
            child = self._child = start(command, out, environment=environment, end=signal.SIGTERM)
        try:
            wait_until(lambda: b"ready; Ctrl-C" in self.log.read_bytes() or child.poll() is not None, 300, "the house's start")
        except StackError:
            child.terminate()  # a house that nobody waits for any more would stand beside all that is tested afterwards
            raise
        assert child.poll() is None, self.log.read_text()[-3000:]

    def stop(self) -> None:
        """Ctrl-C, and nothing is left; also of a house whose start was broken off."""
        assert self._child is not None
        self._child.send_signal(signal.SIGINT)
        self._child.wait(20)
        shutil.rmtree(self.var, ignore_errors=True)

    def faults(self) -> str:
        """The lines of the house's log in which a request was answered with 500."""
        return "\n".join(line for line in self.log.read_text(errors="replace").splitlines() if "request_failed" in line)

    def kill(self, name: str) -> None:
        """kill -9 of one process of this house, by the name of the supervisor's table, or `kafka`, `postgres`, `fork-server`."""
        os.kill(self.pid(name), signal.SIGKILL)

    def wipe_kafka(self) -> None:
        """kill -9 of the broker, and its data gone before it is started again."""
        self.kill("kafka")
        shutil.rmtree(self.var / "kafka" / "data", ignore_errors=True)

    def pid(self, name: str) -> int:
        """The number of one process of this house, by the name that `kill` takes; waited for while it is being started again."""
        found: list[int] = []

        def there() -> bool:
            found[:] = [pid for pid in self._family() if self._is(name, pid)]
            return bool(found)

        wait_until(there, 90, f"a process {name}")
        return found[0]  # asked once: a second look might find nobody, and kill(0) is everybody

    def _family(self) -> list[int]:
        """The supervisor's children, then theirs: all of /proc takes long."""
        assert self._child is not None
        db = children_of(self._child.pid)
        return db + [each for child in db for each in children_of(child)]

    def _is(self, name: str, pid: int) -> bool:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return False
        match name:
            case "postgres":
                return "bin/postgres -D" in line
            case "kafka":
                return "kafka.Kafka" in line
            case "fork-server":
                return "-m deploy.local.fork_server" in line
        process = next(each for each in PROCESSES if each.name == name)
        return " ".join(("-m", process.module, *process.arguments)) + " " in line

    @property
    def passwords(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.var / "roles.json").read_text())
        return found

    def settings_of(self, service: str, prefix: str = "") -> Settings:
        """The settings of one service in this house."""
        return Settings(
            database_url=f"postgresql://127.0.0.1:{postgres_port()}",
            database_prefix=prefix,
            password=self.passwords.get(service, ""),
            reader_password=self.passwords.get(f"{service}_reader", ""),
            owner_password=(self.var / "postgres" / "owner.password").read_text().strip(),
            kafka=f"127.0.0.1:{kafka_port()}",
            keys=self.var / "keys" / service,
        )

    async def walk(self, plans: Iterable[Plan], at_once: int = 3) -> list[Walked]:
        """Walk the plans through the doors and let the auditor read every case; raises on the first that went wrong."""
        walk, gate = Walk(service_urls(), self.var / "outbox", seconds=150), asyncio.Semaphore(at_once)

        async def one(plan: Plan) -> Walked:
            async with gate:
                return await walk.request(plan)

        try:
            walked = list(await asyncio.gather(*(one(plan) for plan in plans)))
            wrong: list[str] = []
            await audit(walk, walked, wrong)
            assert wrong == []
        finally:
            await walk.close()
        return walked

    async def settled(self, seconds: float = 60) -> None:
        """Wait, at most `seconds`, until every reader has applied the log's heads and nothing that is due is owed."""

        async def quiet() -> bool:
            heads = await self._heads()
            for service in TABLES:
                connection = await asyncpg.connect(**self.settings_of(service).as_owner(service))
                try:
                    rows = await connection.fetch("SELECT reader, shard, seq, halted FROM checkpoints")
                    due = await connection.fetchval(
                        "SELECT count(*) FROM agenda WHERE state = 'open' AND (due_at IS NULL OR due_at <= now())"
                    )
                finally:
                    await connection.close()
                assert all(row["halted"] is None for row in rows)
                if due or any(row["seq"] < heads[row["shard"]] for row in rows):
                    return False
            return heads == await self._heads()

        await eventually(quiet, seconds)

    async def _heads(self) -> dict[int, int]:
        async with asyncpg.create_pool(**self.settings_of("audit").as_reader("audit"), min_size=1, max_size=1) as pool:
            return {shard: head.seq for shard, head in (await LogReader(pool).heads()).items()}

    async def equals_a_rebuild(self) -> None:
        """Every projection and agenda, byte for byte, against one that is built anew from the log alone."""
        for name, found, fresh in await self.beside_a_rebuild():
            assert found == fresh, name

    async def beside_a_rebuild(self) -> list[tuple[str, list[Any], list[Any]]]:
        """Each table as it is, and as it is built anew from the log alone: its name, and both."""
        await self.settled()
        compared: list[tuple[str, list[Any], list[Any]]] = []
        owner = await asyncpg.connect(**self.settings_of("intake").as_owner("postgres"))
        await roles.drop_databases(owner, prefix=_REBUILD)
        await roles.ensure(owner, self.passwords, prefix=_REBUILD)
        try:
            for service in TABLES:
                found, fresh = await self._dump(service), await self._rebuilt(service)
                compared += [(f"{service} {table}", found[table], fresh[table]) for table in found]
        finally:
            await roles.drop_databases(owner, prefix=_REBUILD)
            await owner.close()
        return compared

    async def _rebuilt(self, service: str) -> dict[str, list[Any]]:
        settings, fresh = self.settings_of(service), self.settings_of(service, _REBUILD)
        await migrate_service(fresh, service, ROOT / "services" / service)
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(
                asyncpg.create_pool(**fresh.as_service(service, service), min_size=1, max_size=4)
            )
            log = await stack.enter_async_context(asyncpg.create_pool(**settings.as_reader(service), min_size=1, max_size=2))
            vault = settings.as_service(service, "vault")
            readers = await stack.enter_async_context(readers_of(service, VaultKeys(settings.keys), vault))
            inbox = Inbox(readers, db=db, log=LogReader(log), bus=False)
            async with inbox.running():
                for reader in inbox.stores:
                    await eventually(lambda r=reader: inbox.caught_up(r))  # type: ignore[misc]
        return await self._dump(service, _REBUILD)

    async def _dump(self, service: str, prefix: str = "") -> dict[str, list[Any]]:
        connection = await asyncpg.connect(**self.settings_of(service, prefix).as_owner(service))
        try:
            found = {}
            for table in TABLES[service]:
                found[table] = [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
            found["agenda"] = [tuple(row) for row in await connection.fetch(f"SELECT {AGENDA} FROM agenda ORDER BY id")]
            found["parked"] = [tuple(row) for row in await connection.fetch("SELECT * FROM parked_streams")]
        finally:
            await connection.close()
        return found


def children_of(pid: int) -> list[int]:
    """The children of a process, oldest first; none when it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []

"""The processes that some parts of the bench stand on: the broker, the relay, a service, each as `make run` starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson

from caselog.db.migrate import migrate
from chassis.eventing.kafka.connection import KafkaConnection
from chassis.eventing.kafka.topic import ensure
from chassis.eventing.relay import MIGRATIONS as RELAY
from chassis.runtime.container import migrate_service
from chassis.settings import Settings
from deploy.kafka.broker import Broker
from deploy.local import keys
from deploy.local.postgres import OWNER, Postgres
from deploy.local.processes import KEYS
from deploy.local.subprocesses import free_port, start, stop, tail, wait_until
from tests.bench.harness import Bench
from tests.bench.samples import NothingMeasured, understood
from tests.conftest import ROOT
from tests.databases import Databases

LOG: Final = "house.log"
READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 900.0
"""The longest that a child may take for its answer: the rebuild of a million facts, on a busy machine."""


@dataclass(frozen=True)
class House:
    """Databases, a broker and keys of one part of the bench."""

    databases: Databases
    broker: Broker
    directory: Path
    ports: Mapping[str, int]
    log: IO[bytes]

    @property
    def connection(self) -> KafkaConnection:
        """The way to the broker."""
        return KafkaConnection((self.broker.bootstrap,))

    def environment(self, role: str, door: str = "") -> dict[str, str]:
        """What a process of `role` is told; `door`: which port is its own, when it is not the role's."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PARVANDEH_DATABASE_URL": f"postgresql://127.0.0.1:{self.databases.server.port}",
            "PARVANDEH_DATABASE_PREFIX": self.databases.prefix,
            "PARVANDEH_PASSWORD": self.databases.passwords[role],
            "PARVANDEH_READER_PASSWORD": self.databases.passwords[f"{role}_reader"],
            "PARVANDEH_KAFKA": self.broker.bootstrap,
            "PARVANDEH_PORT": str(self.ports[door or role]),
            "PARVANDEH_AGENDA_APART": role,  # nobody carries anything out: what a filing costs is measured as it always was
            "PARVANDEH_KEYS": str(self.directory / "keys" / role),
            "PARVANDEH_STORAGE": f"file://{self.directory / 'documents'}",
            "PARVANDEH_DOORS": f"intake=http://127.0.0.1:{self.ports['intake']}",
        }

    @asynccontextmanager
    async def running(self, role: str, *command: str, door: str = "") -> AsyncIterator[int]:
        """A process of `role`, ready at its door; its id."""
        child = start([sys.executable, "-m", *command], self.log, environment=self.environment(role, door))
        port = self.ports[door or role]
        try:
            await asyncio.to_thread(wait_until, lambda: child.poll() is not None or _ready(port), READY_SECONDS, role)
            if child.poll() is not None:
                raise NothingMeasured(f"{role} ended at once: {tail(self.directory / LOG, 1)}")
            yield child.pid
        finally:
            stop(child, signal.SIGTERM, STOP_SECONDS)  # killed when it takes longer: what was measured is not lost for it


@asynccontextmanager
async def house_of(bench: Bench, part: str) -> AsyncIterator[House]:
    """A house of a part's own; in the short form the one that is open already: a broker's start is a tenth of that form."""
    if bench.kept is None:
        async with open_house(bench, part) as house:
            yield house
        return
    if not bench.houses:
        bench.houses.append(await bench.kept.enter_async_context(open_house(bench, "shared_")))
    yield bench.houses[0]


@asynccontextmanager
async def open_house(bench: Bench, prefix: str) -> AsyncIterator[House]:
    """A house whose tables are migrated and whose topic is there."""
    databases = await bench.databases(prefix)
    directory = bench.directory / prefix
    directory.mkdir()
    keys.provide(directory / "keys", KEYS)
    broker = Broker(directory / "kafka", ROOT / "var" / "kafka-jars")
    with (directory / LOG).open("ab") as log:
        house = House(
            databases, broker, directory, {role: free_port() for role in ("intake", "review", "relay", "empty", "form")}, log
        )
        settings = Settings(
            database_url=f"postgresql://127.0.0.1:{databases.server.port}",
            database_prefix=prefix,
            owner_password=databases.server.owner_password,
        )
        for service, room in ((each, ROOT / "services" / each) for each in ("intake", "review")):
            await migrate_service(settings, service, room)
        connection = await databases.connect("relay", OWNER)
        await migrate(connection, "relay", RELAY)
        await connection.close()
        try:
            await asyncio.to_thread(broker.start)
            await ensure(house.connection)
            yield house
        finally:
            broker.stop()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


async def told(module: str, order: Any, environment: Mapping[str, str] | None = None, deadline: float = ANSWER_SECONDS) -> Any:
    """Run `python -m module` with an order as JSON on stdin; what it answers. Raises NothingMeasured when it has no answer."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(deadline):
            out, _ = await child.communicate(orjson.dumps(order))
    except TimeoutError:
        raise NothingMeasured(f"{module} had no answer after {deadline:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return understood(out, child.returncode, module)


def postmaster(server: Postgres) -> int:
    """The process whose children do PostgreSQL's work."""
    return int((server.data / "postmaster.pid").read_text().split()[0])


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of CPU that these processes and their children have taken."""
    tick, seen = os.sysconf("SC_CLK_TCK"), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            seen[int(path.parent.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / tick)
        except (OSError, IndexError):  # it ended meanwhile
            continue

    def total(pid: int) -> float:
        return seen.get(pid, (0, 0.0))[1] + sum(total(child) for child, (parent, _) in seen.items() if parent == pid)

    return sum(total(pid) for pid in pids)

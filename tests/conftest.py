"""The stack that the tests talk to: the real PostgreSQL and the real broker, started once, gone afterwards."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

import pytest

from deploy.kafka.broker import Broker
from deploy.local import roles
from deploy.local.postgres import Postgres
from deploy.local.processes import PROCESSES, kafka_port, postgres_port
from deploy.local.subprocesses import listening, start, stop
from tests.databases import Databases
from tests.oracle.copies import LENT

ROOT = Path(__file__).parent.parent
_numbers = itertools.count(1)
_unused: list[Databases] = []
"""Sets of databases that can be used again."""


def pytest_configure() -> None:
    """SIGTERM, as a CI sends it that runs out of time, ends the tests as Ctrl-C does: what they started is taken down first."""

    def as_interrupted(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # make passes on what its whole group got already
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what ends in `&`
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, as_interrupted)


@pytest.fixture(scope="session", autouse=True)
def ports() -> Iterator[None]:
    """A block of ports of this run's own (PARVANDEH_PORTS): a `make run`, or another run of the tests, may be up beside it."""
    for first in range(20_000, 32_000, 500):
        with (Path(tempfile.gettempdir()) / f"parvandeh-ports-{os.getuid()}-{first}").open("w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another run has it, for as long as it lives
            os.environ["PARVANDEH_PORTS"] = str(first)
            if not any(map(listening, (postgres_port(), kafka_port(), *(each.port for each in PROCESSES)))):
                yield
                return
    raise pytest.UsageError("no block of ports is free between 20000 and 32000")


@pytest.fixture(scope="session")
def stack_directory() -> Iterator[Path]:
    if LENT in os.environ:
        yield Path(os.environ[LENT])
        return
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-test-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(stack_directory: Path) -> Iterator[Postgres]:
    server = Postgres(stack_directory / "postgres")
    if LENT in os.environ:
        server.port = int((stack_directory / "port").read_text())
        yield server
        return
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def broker(stack_directory: Path) -> Iterator[Broker]:
    jars = ROOT / "var" / "kafka-jars"
    node = Broker(stack_directory / "kafka", jars)
    node.start()
    # Beside the tests, of lowest priority: later brokers and houses start in half of the time.
    with (stack_directory / "class_cache.log").open("wb") as log:
        making = start([sys.executable, "-m", "deploy.kafka.class_cache", str(jars)], log)
    yield node
    stop(making, signal.SIGTERM, 5.0)
    node.stop()


@pytest.fixture(scope="session")
def passwords(stack_directory: Path) -> dict[str, str]:
    return roles.passwords(stack_directory / "roles.json")


@pytest.fixture
async def databases(postgres: Postgres, passwords: dict[str, str]) -> AsyncIterator[Databases]:
    """A set of databases that nobody else uses now, empty and then migrated."""
    async with fresh_databases(postgres, passwords) as fresh:
        yield fresh


@asynccontextmanager
async def fresh_databases(postgres: Postgres, passwords: dict[str, str]) -> AsyncIterator[Databases]:
    """The same for a module's own fixture, where tests that hide nothing from each other share one set.

    A set is made once, and what a test used of it is made anew afterwards: to make and to drop eight databases costs more
    than most tests.
    """
    fresh = _unused.pop() if _unused else None
    if fresh is None:
        fresh = Databases(postgres, passwords, f"t{next(_numbers)}_")
        await fresh.make()
    yield fresh
    # Connections of its own: the test may have killed the server meanwhile. What could not be made anew is not used again.
    await fresh.make_anew()
    _unused.append(fresh)

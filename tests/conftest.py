"""The stack that the tests talk to: the real PostgreSQL and the real broker, started once, gone afterwards."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.kafka.broker import Broker
from deploy.local import roles
from deploy.local.postgres import OWNER, Postgres
from tests.databases import Databases

ROOT = Path(__file__).parent.parent
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stack_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-test-"))
    directory.chmod(0o755)  # PostgreSQL runs as a user of its own when we are root
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(stack_directory: Path) -> Iterator[Postgres]:
    server = Postgres(stack_directory / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def broker(stack_directory: Path) -> Iterator[Broker]:
    node = Broker(stack_directory / "kafka", ROOT / "var" / "kafka-jars")
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def passwords(stack_directory: Path) -> dict[str, str]:
    return roles.passwords(stack_directory / "roles.json")


@pytest.fixture
async def databases(postgres: Postgres, passwords: dict[str, str]) -> AsyncIterator[Databases]:
    """A set of databases of this test's own, migrated, dropped afterwards."""
    prefix = f"t{next(_numbers)}_"
    fresh = Databases(postgres, passwords, prefix)
    await _administer(fresh, lambda connection: roles.ensure(connection, passwords, prefix=prefix))
    await fresh.migrate()
    yield fresh
    # A connection of its own: the test may have killed the server meanwhile.
    await _administer(fresh, lambda connection: roles.drop_databases(connection, prefix=prefix))


async def _administer(databases: Databases, act: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
    connection = await databases.connect("postgres", OWNER)
    try:
        async with asyncio.timeout(30):
            await act(connection)
    finally:
        await connection.close()

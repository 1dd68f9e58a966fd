"""A test's own databases, and how each role reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import asyncpg

from caselog.append import Appender
from caselog.db.migrate import migrate
from caselog.install import install
from caselog.read import LogReader
from chassis.privacy.vault import MIGRATIONS as VAULT_MIGRATIONS
from deploy.local import roles
from deploy.local.postgres import OWNER, Postgres

EMPTY: Final = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
END $$
"""
"""A database as it was made."""


async def _migrate_vault(connection: asyncpg.Connection) -> None:
    await migrate(connection, "vault", VAULT_MIGRATIONS)


MIGRATED: Final[Mapping[str, Callable[[asyncpg.Connection], Awaitable[object]]]] = MappingProxyType(
    {"caselog": install, "vault": _migrate_vault}
)
"""The databases that every test finds migrated."""


@dataclass(frozen=True)
class Databases:
    """The set of databases whose names begin with a prefix. It keeps note of which of them may have been used."""

    server: Postgres
    passwords: dict[str, str]
    _prefix: str
    _used: set[str] = field(default_factory=lambda: set(MIGRATED), init=False)

    @property
    def prefix(self) -> str:
        """Who takes it may use any database of the set."""
        self._used.update(roles.DATABASES)
        return self._prefix

    def where(self, database: str, role: str, *, port: int | None = None) -> dict[str, Any]:
        """asyncpg's connection arguments; the database `postgres` has no prefix."""
        self._used.add(database)
        return {
            "host": "127.0.0.1",
            "port": port or self.server.port,
            "database": database if database == "postgres" else self._prefix + database,
            "user": role,
            "password": self.server.owner_password if role == OWNER else self.passwords[role],
        }

    async def connect(self, database: str, role: str, *, port: int | None = None) -> asyncpg.Connection:
        return await asyncpg.connect(**self.where(database, role, port=port))

    async def make(self) -> None:
        """Make the roles and the databases that are missing, drop whatever stands in these, and migrate."""
        async with self._administering("postgres") as connection:
            await roles.ensure(connection, self.passwords, prefix=self._prefix)
        self._used.update(roles.DATABASES)  # on a server that was lent before
        await self.make_anew()

    async def make_anew(self) -> None:
        """Cut every connection to these databases, drop whatever stands in those that were used, and migrate."""
        async with self._administering("postgres") as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE starts_with(datname, $1)", self._prefix
            )
        for database in self._used & set(roles.DATABASES):
            async with self._administering(database) as connection:
                await connection.execute(EMPTY)
                if database in MIGRATED:
                    await MIGRATED[database](connection)
        self._used.intersection_update(MIGRATED)

    @asynccontextmanager
    async def _administering(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the owner that does not wait for the disk at each commit, and has 30 seconds."""
        async with asyncio.timeout(30):
            arguments = self.where(database, OWNER)
            connection = await asyncpg.connect(**arguments, server_settings={"synchronous_commit": "off"})
            try:
                yield connection
            finally:
                await connection.close()

    @asynccontextmanager
    async def appender(self, role: str = "intake", *, port: int | None = None) -> AsyncIterator[Appender]:
        async with Appender.running(lambda: self.connect("caselog", role, port=port)) as appender:
            yield appender

    @asynccontextmanager
    async def reader(self, role: str = "audit_reader") -> AsyncIterator[LogReader]:
        async with asyncpg.create_pool(**self.where("caselog", role), min_size=1, max_size=2) as pool:
            yield LogReader(pool)

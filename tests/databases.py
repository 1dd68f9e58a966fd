"""A test's own databases, and how each role reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Databases:
    server: Postgres
    passwords: dict[str, str]
    prefix: str

    def where(self, database: str, role: str, *, port: int | None = None) -> dict[str, Any]:
        """asyncpg's connection arguments; the database `postgres` has no prefix."""
        return {
            "host": "127.0.0.1",
            "port": port or self.server.port,
            "database": database if database == "postgres" else self.prefix + database,
            "user": role,
            "password": self.server.owner_password if role == OWNER else self.passwords[role],
        }

    async def connect(self, database: str, role: str, *, port: int | None = None) -> asyncpg.Connection:
        return await asyncpg.connect(**self.where(database, role, port=port))

    async def migrate(self) -> None:
        connection = await self.connect("caselog", OWNER)
        try:
            await install(connection)
        finally:
            await connection.close()
        connection = await self.connect("vault", OWNER)
        try:
            await migrate(connection, "vault", VAULT_MIGRATIONS)
        finally:
            await connection.close()

    async def empty(self) -> None:
        """Cut every connection to these databases and drop whatever stands in them."""
        server = await self.connect("postgres", OWNER)
        try:
            async with asyncio.timeout(30):
                await server.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE starts_with(datname, $1)", self.prefix
                )
        finally:
            await server.close()
        for database in roles.DATABASES:
            connection = await self.connect(database, OWNER)
            try:
                async with asyncio.timeout(30):
                    await connection.execute(EMPTY)
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

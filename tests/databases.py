"""A test's own databases, and how each role reaches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from caselog.append import Appender
from caselog.installing import install
from caselog.migrations import migrate
from caselog.read import LogReader
from chassis.vault.vault import MIGRATIONS as VAULT_MIGRATIONS
from deploy.local.postgres import OWNER, Postgres


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

    @asynccontextmanager
    async def appender(self, role: str = "intake", *, port: int | None = None) -> AsyncIterator[Appender]:
        async with Appender.running(lambda: self.connect("caselog", role, port=port)) as appender:
            yield appender

    @asynccontextmanager
    async def reader(self, role: str = "audit_reader") -> AsyncIterator[LogReader]:
        async with asyncpg.create_pool(**self.where("caselog", role), min_size=1, max_size=2) as pool:
            yield LogReader(pool)

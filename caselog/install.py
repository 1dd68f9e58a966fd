"""Setting up the log's database: its migrations, and which service writes which fact."""

from __future__ import annotations

from typing import Final

import asyncpg

from caselog.db.migrate import migrate
from caselog.db.queries import Queries
from caselog.read import SQL_DIRECTORY
from schemas.facts import FACTS

MIGRATIONS: Final = SQL_DIRECTORY / "migrations"


class WriterChanged(Exception):
    """A fact type is registered with another writer or stream kind than the code says: a released contract never changes."""


async def install(connection: asyncpg.Connection) -> list[str]:
    """Migrate the database of `connection` (role owner) and register every fact type; return the migrations applied."""
    applied = await migrate(connection, "caselog", MIGRATIONS)
    sql = Queries.load(SQL_DIRECTORY / "queries.sql")
    await connection.executemany(sql.register_type, [(f.TYPE, f.WRITER.value, f.KIND.value) for f in FACTS.values()])
    for row in await connection.fetch(sql.registered_types):
        fact = FACTS.get(row["type"])
        if fact is not None and (row["writer"], row["kind"]) != (fact.WRITER.value, fact.KIND.value):
            raise WriterChanged(f"{row['type']} is written by {row['writer']} on {row['kind']} streams")
    return applied

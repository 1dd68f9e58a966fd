"""Ordered .sql migrations: each runs once, in its own transaction, and may never change afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import asyncpg

_LOCK: Final = 0x50415256  # "PARV": two processes that start at once must not migrate at once
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS applied_migrations (
    room text NOT NULL, name text NOT NULL, sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (room, name)
)"""
_APPLIED: Final = "SELECT name, sha256 FROM applied_migrations WHERE room = $1"
_RECORD: Final = "INSERT INTO applied_migrations (room, name, sha256) VALUES ($1, $2, $3)"


class ChangedMigration(Exception):
    """A migration that was applied has other bytes now: the database no longer is what the files say."""


def _files(directory: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(directory.glob("*.sql"))]


async def migrate(connection: asyncpg.Connection, component: str, directory: Path) -> list[str]:
    """Apply the `*.sql` files of `directory` that `component` has not had yet, by name; return the names applied.

    `component` keeps several sets apart in one database (a service's own and the chassis' ones). Must be called by the role
    that owns the database. Raises ChangedMigration, or what PostgreSQL raises; a failed file leaves nothing behind.
    """
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_TABLE)
        applied = {row["name"]: row["sha256"] for row in await connection.fetch(_APPLIED, component)}
        done: list[str] = []
        for name, sql in _files(directory):
            digest = hashlib.sha256(sql).digest()
            if name in applied:
                if applied[name] != digest:
                    raise ChangedMigration(f"{component}/{name} was applied with other bytes; write a new migration instead")
                continue
            async with connection.transaction():
                await connection.execute(sql.decode())
                await connection.execute(_RECORD, component, name, digest)
            done.append(name)
        return done
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)

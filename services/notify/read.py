"""The questions that notify's page may ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg

from caselog.db.queries import Queries


class Messages:
    """Notify's rows."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def latest(self, limit: int = 50) -> Sequence[asyncpg.Record]:
        """The last messages, newest first."""
        rows: Sequence[asyncpg.Record] = await self._db.fetch(self._sql.latest, limit)
        return rows

    async def totals(self) -> Sequence[asyncpg.Record]:
        """Sent and failed by channel."""
        rows: Sequence[asyncpg.Record] = await self._db.fetch(self._sql.totals)
        return rows

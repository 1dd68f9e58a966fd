"""What the checker looks at, read from a log and from the databases of services when a run has settled."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from caselog.read import LogReader
from schemas.envelope import SHARDS, Position, RecordedFact
from tests.faults.checker import Item


async def facts_of(log: LogReader) -> list[RecordedFact]:
    """The whole log, by shard and seq."""
    facts: list[RecordedFact] = []
    for shard in range(SHARDS):
        after = 0
        while page := await log.shard(shard, after):
            facts += page
            after = page[-1].seq
    return facts


async def agenda_of(connection: asyncpg.Connection, service: str) -> Sequence[Item]:
    """The agenda of one service."""
    rows = await connection.fetch(
        "SELECT id, reaction, cause_shard, cause_seq, cause_link, state, coalesce(due_at, '-infinity') <= now() AS due,"
        " greatest(leased_until, next_at) > now() AS leased FROM agenda ORDER BY id"
    )
    return [
        Item(
            service=service,
            id=row["id"],
            reaction=row["reaction"],
            cause=Position(row["cause_shard"], row["cause_seq"]),
            cause_link=row["cause_link"],
            state=row["state"],
            due=row["due"],
            leased=row["leased"],
        )
        for row in rows
    ]

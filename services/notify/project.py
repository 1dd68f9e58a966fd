"""Facts into notify's rows: one named query, no rules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from caselog.queries import Queries
from chassis.bus.readers import Reader
from schemas.envelope import Recorded
from schemas.facts import AnyFact, notify

NAME: Final = "messages"
VERSION: Final = 1


def projection() -> Reader:
    """The reader of notify's rows."""
    sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def apply(connection: asyncpg.Connection, fact: AnyFact, recorded: Recorded) -> None:
        if isinstance(fact, notify.MessageSent | notify.MessageFailed):
            failed = fact.reason if isinstance(fact, notify.MessageFailed) else None
            at = recorded.recorded_at
            await connection.execute(sql.put, recorded.stream, recorded.version, fact.template, fact.channel, failed, at)

    return Reader(NAME, VERSION, apply, {"messages": "*"})

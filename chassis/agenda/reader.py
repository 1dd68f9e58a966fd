"""The agenda's reader: facts put items on the agenda and take them off, in the transaction that moves its checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import asyncpg
import orjson

from caselog.queries import Queries
from chassis.agenda.items import Cancel, Owe, Owed
from chassis.bus.readers import Reader
from chassis.command_ids import agenda_command
from schemas.envelope import Recorded
from schemas.facts import AnyFact

SQL: Final = Path(__file__).with_name("agenda.sql")
MIGRATIONS: Final = Path(__file__).parent / "migrations"
NAME: Final = "agenda"
COLUMNS: Final = "id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, due_at, recipient, details"
"""What facts say of an item; state, leases and retry counts are of the day."""
_ITEM: Final = re.compile(r"[0-9a-f]{64}")


def agenda_reader(service: str, version: int, owe: Owe) -> Reader:
    """The reader named `agenda` of a service. Raise `version` when `owe` changes: the agenda is then built anew."""
    sql = Queries.load(SQL)

    async def apply(connection: asyncpg.Connection, fact: AnyFact, recorded: Recorded) -> None:
        if recorded.cause is not None and _ITEM.fullmatch(recorded.cause):
            await connection.execute(sql.close_by_fact, bytes.fromhex(recorded.cause))
        for each in owe(fact, recorded):
            match each:
                case Cancel():
                    await connection.execute(sql.cancel, recorded.stream, each.reaction, each.key, recorded.seq)
                case Owed():
                    await connection.execute(sql.owe, *_row(service, each, recorded))

    return Reader(NAME, version, apply, {"agenda": COLUMNS}, sql.carry_over)


def _row(service: str, owed: Owed, cause: Recorded) -> tuple[object, ...]:
    return (
        agenda_command(service, owed.reaction, cause.link, owed.ordinal),
        owed.reaction,
        owed.key,
        cause.stream,
        owed.target or cause.stream,
        cause.shard,
        cause.seq,
        cause.link,
        owed.ordinal,
        owed.due_at,
        owed.recipient,
        orjson.dumps(dict(owed.details)).decode(),
    )

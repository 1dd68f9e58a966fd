"""The agenda's processor: facts put items on the agenda and take them off, in the transaction that moves its checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import asyncpg
import orjson

from caselog.db.queries import Queries
from chassis.eventing.agenda.task import CancelTask, React, Task
from chassis.eventing.commands.ids import agenda_command
from chassis.eventing.processors.processor import Batch, EventProcessor
from schemas.envelope import RecordedFact
from schemas.envelope.codec import FactCodec

SQL: Final = Path(__file__).with_name("agenda.sql")
MIGRATIONS: Final = Path(__file__).parent / "migrations"
NAME: Final = "agenda"
COLUMNS: Final = "id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, due_at, recipient, details"
"""What facts say of an item; state, leases and retry counts are of the day."""
_ITEM: Final = re.compile(r"[0-9a-f]{64}")


def agenda_processor(service: str, version: int, react: React, *, codec: FactCodec) -> EventProcessor:
    """The processor named `agenda` of a service. Raise `version` when `react` changes: the agenda is then built anew."""
    sql = Queries.load(SQL)

    async def apply(connection: asyncpg.Connection, run: Batch) -> None:
        changes = AgendaChanges(service)
        for fact, recorded in run:
            changes.take(react(fact, recorded), recorded)
        # What is there already first: a later item of the same key must not be met by an earlier cancelling.
        if changes.closed:
            await connection.execute(sql.close_by_fact, changes.closed)
        if changes.cancelled:
            await connection.execute(sql.cancel, *_columns(changes.cancelled))
        if changes.made:
            await connection.execute(sql.add_tasks, *_columns(changes.made.values()))

    return EventProcessor(NAME, version, apply, {"agenda": COLUMNS}, sql.carry_over, codec=codec)


class AgendaChanges:
    """What a batch of facts does to the agenda: items that are made, and items from before the run that end.

    An item that is made and ends within the run is written once, as it ends.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self.made: dict[bytes, list[object]] = {}
        """By item id, in order; the last two values are the state and the outcome."""
        self.closed: list[bytes] = []
        self.cancelled: list[tuple[str, str, str, int]] = []
        """Stream, reaction and key, and the seq of the fact that cancels."""
        self._open: dict[tuple[str, str, str], list[bytes]] = {}

    def take(self, caused: Iterable[Task | CancelTask], cause: RecordedFact) -> None:
        """Apply one fact: it closes the task that it carried out, cancels those it makes needless, and opens those it causes."""
        if cause.cause is not None and _ITEM.fullmatch(cause.cause):
            self._end(bytes.fromhex(cause.cause), "done")
            self.closed.append(bytes.fromhex(cause.cause))
        for each in caused:
            match each:
                case CancelTask():
                    key = (cause.stream, each.reaction, each.key)
                    for task in self._open.pop(key, ()):
                        self._end(task, "cancelled")
                    self.cancelled.append((*key, cause.seq))
                case Task():
                    task = agenda_command(self._service, each.reaction, cause.link, each.ordinal)
                    if task not in self.made:
                        self.made[task] = [task, *_row(each, cause), "open", None]
                        self._open.setdefault((cause.stream, each.reaction, each.key), []).append(task)

    def _end(self, task: bytes, outcome: str) -> None:
        row = self.made.get(task)
        if row is not None and row[-2] == "open":
            row[-2:] = "closed", outcome


def _columns(rows: Iterable[Iterable[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _row(task: Task, cause: RecordedFact) -> tuple[object, ...]:
    return (
        task.reaction,
        task.key,
        cause.stream,
        task.target or cause.stream,
        cause.shard,
        cause.seq,
        cause.link,
        task.ordinal,
        task.due_at,
        task.recipient,
        orjson.dumps(dict(task.details)).decode(),
    )

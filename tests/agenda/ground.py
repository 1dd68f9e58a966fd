"""A service in miniature for the tests of the agenda: what three facts make owed, and who carries it out."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg

from caselog.append import Appender
from caselog.migrations import migrate
from caselog.outcomes import Append, Appended, NewFact
from caselog.read import LogReader
from chassis.agenda.items import Cancel, Item, Owed
from chassis.agenda.reader import MIGRATIONS, agenda_reader
from chassis.agenda.worker import Worker
from chassis.bus.inbox import Inbox
from chassis.handling import Command, Handler
from chassis.refusal import Refusal
from schemas.deadline import Deadline
from schemas.envelope import Recorded
from schemas.fact import Fact
from schemas.facts import AnyFact, encode
from schemas.facts.intake import CaseWithdrawn, CorrectionAnswered, IdentityConfirmed
from schemas.facts.review import CaseResumed, CorrectionOverdue, CorrectionRequested
from schemas.sealing import Sealed
from tests.bus.ground import INBOX_MIGRATIONS, eventually
from tests.databases import Databases

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Resume(Command):
    why: str


class NotNow(Refusal):
    """Not now."""

    code = "not_now"


class NoSeals:
    async def seal(self, facts: Sequence[Fact], *, log_id: str, stream: str, command: bytes) -> list[Fact]:
        return list(facts)  # nothing in these facts is personal


def owe(fact: AnyFact, recorded: Recorded) -> list[Owed | Cancel]:
    match fact:
        case IdentityConfirmed():
            return [Owed("resume", details={"why": "first"}, recipient="applicant")]
        case CaseWithdrawn():
            return [Owed("resume", ordinal=n, details={"why": str(n)}) for n in range(3)]
        case CorrectionRequested():
            return [Owed("overdue", key=str(fact.round), due_at=fact.deadline.due_at)]
        case CorrectionAnswered():
            return [Cancel("overdue", key=str(fact.round))]
    return []


@dataclass
class Ground:
    appender: Appender
    intake: Appender
    inbox: Inbox
    own: asyncpg.Pool
    log: LogReader
    handler: Handler
    done: list[str] = field(default_factory=list)

    async def resume(self, item: Item) -> None:
        self.done.append(item.details["why"])
        await self.handler.handle(
            Resume(why=item.details["why"]),
            stream=item.target,
            command_id=item.id,
            cause=item.cause_name,
            actor="system:review",
            initial=None,
            evolve=lambda state, _, __: state,
            decide=lambda command, _, __: [CaseResumed(reason=command.why)],
        )

    async def overdue(self, item: Item) -> None:
        await self.handler.handle(
            Resume(why=item.key),
            stream=item.target,
            command_id=item.id,
            cause=item.cause_name,
            actor="system:review",
            initial=None,
            evolve=lambda state, _, __: state,
            decide=lambda command, _, __: [CorrectionOverdue(round=int(command.why), due_at=NOW)],
        )

    def worker(self, **instead: Callable[[Item], object]) -> Worker:
        carry_out = {"resume": self.resume, "overdue": self.overdue, **instead}
        return Worker(own=self.own, log=self.log, checkpoints=self.inbox.shelves["agenda"].checkpoints, carry_out=carry_out)  # type: ignore[arg-type]

    async def tell(self, stream: str, *facts: Fact, by: Appender | None = None) -> None:
        command = random.randbytes(32)
        outcome = await (by or self.intake).append(
            Append(stream, None, command, bytes(32), "x:y", None, b"{}", [NewFact(f.TYPE, f.VERSION, encode(f)) for f in facts])
        )
        assert isinstance(outcome, Appended), outcome
        await eventually(lambda: self.inbox.caught_up("agenda"))

    async def facts(self, kind: type[Fact]) -> int:
        return int(await self.log._pool.fetchval("SELECT count(*) FROM log.facts WHERE type = $1", kind.TYPE))

    async def items(self) -> list[tuple[str, str | None]]:
        rows = await self.own.fetch("SELECT state, outcome FROM agenda ORDER BY cause_shard, cause_seq, ordinal")
        return [(row["state"], row["outcome"]) for row in rows]


@asynccontextmanager
async def ground(databases: Databases) -> AsyncIterator[Ground]:
    connection = await databases.connect("review", "owner")
    await migrate(connection, "inbox", INBOX_MIGRATIONS)
    await migrate(connection, "agenda", MIGRATIONS)
    await connection.close()
    async with (
        databases.appender("review") as appender,
        databases.appender("intake") as intake,
        databases.reader("review_reader") as log,
        asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=6) as own,
    ):
        inbox = Inbox([agenda_reader("review", 1, owe)], own=own, log=log, bus=False)
        handler = Handler(appender=appender, reader=log, vault=NoSeals(), service_key=bytes(32))
        async with inbox.running():
            yield Ground(appender, intake, inbox, own, log, handler)


def asked(round_: int, due_at: datetime) -> CorrectionRequested:
    return CorrectionRequested(
        round=round_, reasons=("plans_wrong",), deadline=Deadline(due_at=due_at, working_days=1, calendar_version=1)
    )


def answered(round_: int) -> CorrectionAnswered:
    return CorrectionAnswered(round=round_, answer=Sealed(key="k", box="b"))

"""A service in miniature for the tests of the agenda: what three facts make owed, and who carries it out."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg

from caselog.append import Appender
from caselog.db.migrate import migrate
from caselog.outcomes import Appended, AppendRequest, NewFact
from caselog.read import LogReader
from chassis.eventing.agenda.processor import MIGRATIONS, agenda_processor
from chassis.eventing.agenda.task import CancelTask, ClaimedTask, Task
from chassis.eventing.agenda.worker import Worker
from chassis.eventing.commands.decider import Decider
from chassis.eventing.commands.handler import Command, CommandHandler
from chassis.eventing.processors.inbox import Inbox
from chassis.refusal import Refusal
from schemas.envelope import RecordedFact
from schemas.envelope.calendar import WorkingTime
from schemas.envelope.deadline import Deadline
from schemas.envelope.fact import Fact
from schemas.envelope.sealing import Sealed
from schemas.facts import CODEC, encode
from schemas.facts.intake import CaseWithdrawn, CorrectionAnswered, IdentityConfirmed
from schemas.facts.review import CaseResumed, CorrectionOverdue, CorrectionRequested
from tests.databases import Databases
from tests.eventing.harness import INBOX_MIGRATIONS, eventually

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Resume(Command):
    why: str


class Overdue(Command):
    round: int


class NotNow(Refusal):
    """Not now."""

    code = "not_now"


class NoSeals:
    async def seal(self, facts: Sequence[Fact], *, log_id: str, stream: str, command: bytes) -> list[Fact]:
        return list(facts)  # nothing in these facts is personal

    def alias(self, subject: str, stream: str) -> str:
        return subject


def decide(command: Resume | Overdue, _state: None, _at: datetime, *, working_time: WorkingTime) -> list[Fact]:
    match command:
        case Resume():
            return [CaseResumed(reason=command.why)]
        case Overdue():
            return [CorrectionOverdue(round=command.round, due_at=NOW)]


DECIDER = Decider[Resume | Overdue, None](None, lambda state, _fact, _at: state, decide, CODEC)


def react(fact: Fact, recorded: RecordedFact) -> list[Task | CancelTask]:
    match fact:
        case IdentityConfirmed():
            return [Task("resume", details={"why": "first"}, recipient="applicant")]
        case CaseWithdrawn():
            return [Task("resume", ordinal=n, details={"why": str(n)}) for n in range(3)]
        case CorrectionRequested():
            return [Task("overdue", key=str(fact.round), due_at=fact.deadline.due_at)]
        case CorrectionAnswered():
            return [CancelTask("overdue", key=str(fact.round))]
    return []


@dataclass
class AgendaHarness:
    appender: Appender
    intake: Appender
    inbox: Inbox
    db: asyncpg.Pool
    log: LogReader
    handler: CommandHandler[Resume | Overdue, None]
    done: list[str] = field(default_factory=list)

    async def resume(self, item: ClaimedTask) -> None:
        self.done.append(item.details["why"])
        await self.handler.execute_task(Resume(why=item.details["why"]), item)

    async def overdue(self, item: ClaimedTask) -> None:
        await self.handler.execute_task(Overdue(round=int(item.key)), item)

    def worker(self, **instead: Callable[[ClaimedTask], object]) -> Worker:
        carry_out = {"resume": self.resume, "overdue": self.overdue, **instead}
        return Worker(db=self.db, log=self.log, checkpoints=self.inbox.stores["agenda"].checkpoints, handlers=carry_out)  # type: ignore[arg-type]

    async def tell(self, stream: str, *facts: Fact, by: Appender | None = None) -> None:
        command = random.randbytes(32)
        outcome = await (by or self.intake).append(
            AppendRequest(
                stream, None, command, bytes(32), "x:y", None, b"{}", [NewFact(f.TYPE, f.VERSION, encode(f)) for f in facts]
            )
        )
        assert isinstance(outcome, Appended), outcome
        await eventually(lambda: self.inbox.caught_up("agenda"))

    async def facts(self, kind: type[Fact]) -> int:
        return int(await self.log._pool.fetchval("SELECT count(*) FROM log.facts WHERE type = $1", kind.TYPE))

    async def items(self) -> list[tuple[str, str | None]]:
        rows = await self.db.fetch("SELECT state, outcome FROM agenda ORDER BY cause_shard, cause_seq, ordinal")
        return [(row["state"], row["outcome"]) for row in rows]


@asynccontextmanager
async def harness(databases: Databases) -> AsyncIterator[AgendaHarness]:
    connection = await databases.connect("review", "owner")
    await migrate(connection, "inbox", INBOX_MIGRATIONS)
    await migrate(connection, "agenda", MIGRATIONS)
    await connection.close()
    async with (
        databases.appender("review") as appender,
        databases.appender("intake") as intake,
        databases.reader("review_reader") as log,
        asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=6) as db,
    ):
        inbox = Inbox([agenda_processor("review", 1, react, codec=CODEC)], db=db, log=log, bus=False)
        handler = CommandHandler("review", DECIDER, appender=appender, reader=log, vault=NoSeals(), service_key=bytes(32))
        async with inbox.running():
            yield AgendaHarness(appender, intake, inbox, db, log, handler)


def asked(round_: int, due_at: datetime) -> CorrectionRequested:
    return CorrectionRequested(
        round=round_, reasons=("plans_wrong",), deadline=Deadline(due_at=due_at, working_days=1, calendar_version=1)
    )


def answered(round_: int) -> CorrectionAnswered:
    return CorrectionAnswered(round=round_, answer=Sealed(key="k", box="b"))

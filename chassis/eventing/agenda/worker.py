"""The agenda's worker: claims by lease, probes the log, carries out, closes; or tries later, or parks (design.md section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg
import orjson
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge

from caselog.append import AppendFailed, LogUnavailable
from caselog.db.errors import TRANSIENT
from caselog.db.queries import Queries
from caselog.read import Head, LogReader
from chassis.eventing.agenda.processor import SQL
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.commands.handler import AppendRefused
from chassis.eventing.kafka.cloudevents import traceparent_of
from chassis.eventing.processors.processor import Checkpoint
from chassis.refusal import NotDue, Refusal, Stale, Temporary
from schemas.envelope import Position

_log = structlog.get_logger("agenda")
_TRACER: Final = trace.get_tracer("parvandeh")
OUTCOMES: Final = Counter(
    "parvandeh_agenda_outcomes", "Agenda items by what became of them", ["reaction", "outcome"], registry=None
)
ITEMS: Final = Gauge("parvandeh_agenda_items", "Items by state", ["state"], registry=None)
OLDEST: Final = Gauge("parvandeh_agenda_oldest_seconds", "How long the oldest due item has waited", registry=None)
METRICS: Final = (OUTCOMES, ITEMS, OLDEST)
"""What a process with a worker exports of it."""
LEASE: Final = timedelta(seconds=15)
CARRY_OUT_SECONDS: Final = 12.0
"""Shorter than the lease: whoever holds an item has given up before another may claim it."""
AT_ONCE: Final = 16
SHOW_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 0.1
AWAY_SECONDS: Final = 0.5
ATTEMPTS: Final = 8
"""An error that nobody foresaw is tried this often, then the item is parked."""
TRIED_OFTEN: Final = 3
"""An item that was tried so often is shown: what waits for a channel that is away is neither parked nor done."""
LONGEST_WAIT: Final = timedelta(minutes=5)

TaskHandler = Callable[[ClaimedTask], Awaitable[None]]
Checkpoints = Callable[[], Awaitable[Mapping[int, Checkpoint]]]


class RetryLater(Exception):
    """What the item needs is away (another system, a channel, an unreachable server): tried again for ever, visibly."""


@dataclass
class WorkerState:
    """What `/ready` shows."""

    gate_passed: bool = False
    carried_out: int = 0


class Worker:
    """Carries out the tasks of one service. Any number of workers may run side by side."""

    def __init__(
        self, *, db: asyncpg.Pool, log: LogReader, checkpoints: Checkpoints, handlers: Mapping[str, TaskHandler]
    ) -> None:
        """`checkpoints` answers how far the agenda's processor has come; `handlers` has the work by reaction."""
        self._db, self._log, self._checkpoints, self._handlers = db, log, checkpoints, handlers
        self._sql = Queries.load(SQL)
        self.state = WorkerState()

    async def run(self) -> None:
        """Work until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self._wait_until_caught_up()
                while True:
                    if not await self.work_once():
                        await asyncio.sleep(IDLE_SECONDS)  # the agenda is asked again; no item depends on this figure
            except Exception as error:  # noqa: BLE001 - a worker that died unnoticed would leave every task undone
                _log.warning("agenda_interrupted", error=type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)

    async def _wait_until_caught_up(self) -> None:
        """Wait until the agenda's processor has passed the log's present heads.

        An agenda that is still being built holds tasks that were done long ago.
        """
        heads = await self._log.heads()
        while not has_passed(heads, await self._checkpoints()):  # noqa: ASYNC110 - the condition lies in a database
            await asyncio.sleep(IDLE_SECONDS)
        self.state.gate_passed = True

    async def watch(self) -> None:
        """Export the agenda's figures, until cancelled."""
        while True:
            try:
                found = await overview(self._db)
                for state in ("open", "due", "parked"):
                    ITEMS.labels(state).set(found[state])
                OLDEST.set(float(found["oldest_seconds"]))
            except Exception as error:  # noqa: BLE001 - a watch that died unseen would show old figures for ever
                _log.warning("figures_interrupted", error=type(error).__name__)
            await asyncio.sleep(SHOW_SECONDS)

    async def work_once(self) -> int:
        """Claim what is due and carry it out; return how many items were claimed."""
        rows = await self._db.fetch(self._sql.claim, AT_ONCE, LEASE)
        ended = await asyncio.gather(*(self._one(_item(row)) for row in rows), return_exceptions=True)
        for error in ended:
            if error is not None:  # only when all have ended: the next claim must not add to items that still run
                raise error
        return len(rows)

    async def _one(self, task: ClaimedTask) -> None:
        with _TRACER.start_as_current_span(f"agenda {task.reaction}", context=await self._trace_of(task)):
            try:
                async with asyncio.timeout(CARRY_OUT_SECONDS):
                    if not await self._log.command(task.target, task.id):
                        await self._handlers[task.reaction](task)
                        self.state.carried_out += 1
                await self._end(task, self._sql.close, "done")
            except Stale:
                await self._end(task, self._sql.close, "stale")
            except NotDue as waits:
                await self._db.execute(self._sql.postpone, task.id, waits.until)
            except Temporary as refusal:
                await self._retry(task, refusal.code)
            except Refusal as refusal:
                await self._end(task, self._sql.park, refusal.code)
            except (RetryLater, LogUnavailable, asyncpg.PostgresError, *TRANSIENT) as error:
                await self._retry(task, type(error).__name__)
            except (AppendRefused, AppendFailed, KeyError) as error:
                await self._end(task, self._sql.park, type(error).__name__)
            except Exception as error:  # noqa: BLE001 - what a reaction may raise is not known: it must not stop the others
                if task.attempts >= ATTEMPTS:
                    await self._end(task, self._sql.park, type(error).__name__)
                else:
                    await self._retry(task, type(error).__name__)

    async def _trace_of(self, task: ClaimedTask) -> Context:
        """The trace in which the cause was appended: the way from a request to its notification is one trace."""
        cause = await self._log.at(task.cause)
        carrier = {"traceparent": (traceparent_of(cause) if cause else None) or ""}
        return TraceContextTextMapPropagator().extract(carrier)

    async def _end(self, task: ClaimedTask, query: str, outcome: str) -> None:
        await self._db.execute(query, task.id, outcome)
        OUTCOMES.labels(task.reaction, outcome).inc()
        if query is self._sql.park:
            _log.error("item_parked", reaction=task.reaction, stream=task.stream, outcome=outcome)

    async def _retry(self, task: ClaimedTask, reason: str) -> None:
        wait = min(timedelta(seconds=0.25 * 2 ** min(task.attempts, 12)), LONGEST_WAIT)
        await self._db.execute(self._sql.retry, task.id, wait, reason)
        OUTCOMES.labels(task.reaction, "again").inc()
        _log.warning("item_again", reaction=task.reaction, stream=task.stream, reason=reason, attempts=task.attempts)


async def overview(db: asyncpg.Pool) -> asyncpg.Record:
    """How many items are open, due, parked and tried often, and for how long the oldest due one has waited (seconds)."""
    return await db.fetchrow(Queries.load(SQL).overview, TRIED_OFTEN)


async def parked_items(db: asyncpg.Pool, limit: int = 200) -> Sequence[asyncpg.Record]:
    """The parked items of a service: id, reaction, stream, coded outcome, attempts, since when, details (JSON)."""
    found: Sequence[asyncpg.Record] = await db.fetch(Queries.load(SQL).parked, limit)
    return found


async def trying_items(db: asyncpg.Pool, limit: int = 200) -> Sequence[asyncpg.Record]:
    """What was tried often and is tried on: id, reaction, stream, coded reason, attempts, when it is tried next, details."""
    found: Sequence[asyncpg.Record] = await db.fetch(Queries.load(SQL).trying, TRIED_OFTEN, limit)
    return found


async def release_item(db: asyncpg.Pool, item_id: bytes) -> bool:
    """Let a parked item be tried again; False when it is not parked."""
    return bool((await db.execute(Queries.load(SQL).release, item_id)) == "UPDATE 1")


def has_passed(heads: Mapping[int, Head], checkpoints: Mapping[int, Checkpoint]) -> bool:
    """Whether a processor at `checkpoints` has read what the log held at `heads`: until then it has tasks done long ago."""
    # A halted shard never passes; its items are still probed, and the other shards' must not wait for it.
    return all(
        shard in checkpoints and (checkpoints[shard].seq >= head.seq or checkpoints[shard].halted is not None)
        for shard, head in heads.items()
    )


def _item(row: Any) -> ClaimedTask:
    return ClaimedTask(
        id=row["id"],
        reaction=row["reaction"],
        key=row["key"],
        stream=row["stream"],
        target=row["target"],
        cause=Position(row["cause_shard"], row["cause_seq"]),
        cause_link=row["cause_link"],
        ordinal=row["ordinal"],
        due_at=row["due_at"],
        recipient=row["recipient"],
        details=orjson.loads(row["details"]),
        attempts=row["attempts"],
    )

"""One processor's checkpoints and parked streams in the service's database: applying facts in one transaction per shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import structlog
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from caselog.chain import compute_link
from caselog.db.errors import is_transient
from caselog.db.queries import Queries
from caselog.read import LogReader
from chassis.eventing.kafka.cloudevents import traceparent_of
from chassis.eventing.processors.processor import Checkpoint, EventProcessor
from chassis.refusal import NotBegun, StillFaulty
from schemas.envelope import RecordedFact, shard_of
from schemas.envelope.codec import MalformedFact, UnknownFact

_log = structlog.get_logger("inbox")
_TRACER: Final = trace.get_tracer("parvandeh")
_PROPAGATOR: Final = TraceContextTextMapPropagator()
SQL: Final = Path(__file__).with_name("store.sql")
PARKED_LIMIT: Final = 20
"""More than this many parked streams in five minutes is a bug of ours: the processor stops."""


@dataclass
class Result:
    """What became of a batch of facts: how many were applied, and what must be asked of the log."""

    applied: int = 0
    seq: int = 0
    """Where the shard's checkpoint is now; 0 when the shard is halted."""
    parked: frozenset[str] = frozenset()
    """The parked streams of the shard."""
    gap_before: int | None = None
    """The seq of a fact that could not follow, because earlier ones are missing."""
    suspect: RecordedFact | None = None
    """A fact whose link does not follow the checkpoint."""


class ParkedStream(NamedTuple):
    """A stream that a processor could not apply."""

    processor: str
    stream: str
    version: int
    """Of the first fact that was not applied."""
    reason: str
    since: datetime


class ProcessorStopped(Exception):
    """The processor parked too many streams and stops until somebody has looked."""


class ProcessorOutdated(Exception):
    """The rows were built by another version of this processor; the text says what to run."""


class ProcessorStore:
    """The rows of one processor of one service."""

    def __init__(self, processor: EventProcessor, db: asyncpg.Pool, *, traced: bool = True) -> None:
        """`traced` off: a rebuild is no part of the traces in which the facts were appended."""
        self.processor, self._db, self._traced = processor, db, traced
        self._sql = Queries.load(SQL)
        self._key = (processor.name, processor.version)

    async def begin(self, *, anew: bool = False) -> None:
        """Make the 64 checkpoint rows when they are not there; `anew` in tables that are being built beside the live ones.

        Raises ProcessorOutdated when the rows were built by another version of the processor: applied on top of them, its facts
        would count twice.
        """
        if not anew and await self.outdated():
            raise ProcessorOutdated(
                f"reader {self.processor.name} was built by another version: run `rebuild {self.processor.name}`"
            )
        await self._db.execute(self._sql.begin, *self._key)

    async def outdated(self) -> bool:
        """Whether the rows were built by another version of the processor."""
        return bool(await self._db.fetchval(self._sql.other_version, *self._key))

    async def checkpoints(self) -> dict[int, Checkpoint]:
        """All checkpoints by shard."""
        rows = await self._db.fetch(self._sql.checkpoints, *self._key)
        return {row["shard"]: Checkpoint(row["epoch"], row["seq"], row["hash"], row["halted"]) for row in rows}

    async def apply_together(self, runs: Mapping[int, Sequence[RecordedFact]]) -> dict[int, Result]:
        """Apply what follows the checkpoints of several shards, in one transaction that begins by locking them all.

        The loser of a rebalance sees a checkpoint moved and skips. First as one run; only when a fact of it cannot be
        applied, each shard is done again by itself with savepoints around ever smaller parts, and the faulty stream is parked.
        """
        try:
            return await self._run(runs, isolate_failures=False)
        except Exception as error:  # what a projection may raise is not known; the run below names the fact
            if is_transient(error):
                raise
            _log.warning("run_repeated_carefully", reader=self.processor.name, shards=sorted(runs), error=type(error).__name__)
            results: dict[int, Result] = {}
            for shard, facts in runs.items():
                results |= await self._run({shard: facts}, isolate_failures=True)
            return results

    async def _run(self, runs: Mapping[int, Sequence[RecordedFact]], *, isolate_failures: bool) -> dict[int, Result]:
        results = {shard: Result() for shard in runs}
        following: list[RecordedFact] = []
        async with self._db.acquire() as connection, connection.transaction():
            for row in await connection.fetch(self._sql.lock_checkpoints, *self._key, list(runs)):
                if row["halted"] is None:
                    results[row["shard"]], facts = _following(runs[row["shard"]], row["seq"], row["hash"])
                    following += facts
            parked = {each["stream"] for each in await connection.fetch(self._sql.parked_in, *self._key, list(runs))}
            wanted = [fact for fact in following if fact.stream not in parked]
            if isolate_failures:
                parked.update(await self._isolate_failures(connection, list(_by_stream(wanted).values())))
            else:
                with self._spans(wanted):
                    await self._apply(connection, wanted)
            if following:
                moved = {fact.shard: fact for fact in following}.values()  # the last fact of each shard
                places = [[fact.shard for fact in moved], [fact.epoch for fact in moved]]
                marks = [[fact.seq for fact in moved], [fact.link for fact in moved]]
                await connection.execute(self._sql.move_checkpoints, *self._key, *places, *marks)
        for shard, result in results.items():
            result.parked = frozenset(stream for stream in parked if shard_of(stream) == shard)
        if isolate_failures:
            await self._refuse_too_many()
        return results

    async def _apply(self, connection: asyncpg.Connection, facts: Sequence[RecordedFact]) -> None:
        if facts:
            decode = self.processor.codec.decode
            await self.processor.apply(connection, [(decode(fact.type, fact.type_version, fact.body), fact) for fact in facts])

    async def _isolate_failures(self, connection: asyncpg.Connection, streams: list[list[RecordedFact]]) -> set[str]:
        """Apply whole streams under a savepoint; where that fails, halve them until the faulty stream is alone, and park it.

        The streams that were parked.

        Streams may be taken apart, since a row is a fold of one stream; the facts of a stream keep their order.
        """
        if len(streams) == 1:
            for fact in streams[0]:
                if not await self._tried(connection, [fact], park=True):
                    return {fact.stream}
            return set()
        if not streams or await self._tried(connection, [fact for each in streams for fact in each], park=False):
            return set()
        middle = len(streams) // 2
        return await self._isolate_failures(connection, streams[:middle]) | await self._isolate_failures(
            connection, streams[middle:]
        )

    async def _tried(self, connection: asyncpg.Connection, facts: Sequence[RecordedFact], *, park: bool) -> bool:
        try:
            async with connection.transaction():
                await self._apply(connection, facts)
        except Exception as error:  # a fault of any kind parks one stream, never the shard
            if is_transient(error):
                raise
            if park:
                reason = str(error) if isinstance(error, UnknownFact | MalformedFact) else type(error).__name__
                await self._park(connection, facts[0], reason)
            return False
        return True

    async def _park(self, connection: asyncpg.Connection, fact: RecordedFact, reason: str) -> None:
        await connection.execute(self._sql.park, *self._key, fact.stream, fact.shard, fact.version, reason)
        _log.error("stream_parked", reader=self.processor.name, stream=fact.stream, version=fact.version, reason=reason)

    @contextmanager
    def _spans(self, facts: Sequence[RecordedFact]) -> Iterator[None]:
        """A span for each fact, under the trace in which it was appended: in a batch each fact belongs to a trace of its own."""
        if not self._traced:
            yield
            return
        opened = [
            _TRACER.start_span(f"apply {self.processor.name} {fact.type}", context=_PROPAGATOR.extract({"traceparent": trace_}))
            for fact in facts
            if (trace_ := traceparent_of(fact))
        ]
        try:
            yield
        finally:
            for span in opened:
                span.end()

    async def _refuse_too_many(self) -> None:
        if await self._db.fetchval(self._sql.parked_lately, *self._key) > PARKED_LIMIT:
            raise ProcessorStopped(self.processor.name)

    async def halt(self, shard: int, reason: str) -> None:
        """Stop one shard loudly: the log differs from what was applied."""
        await self._db.execute(self._sql.halt, *self._key, shard, reason)
        _log.critical("shard_halted", reader=self.processor.name, shard=shard, reason=reason)

    async def release(self, stream: str, log: LogReader) -> bool:
        """Apply a parked stream's facts again, from the log, up to the shard's checkpoint; False when it was not parked.

        Raises StillFaulty when the stream still cannot be applied (it stays parked and none of its rows is written), and NotBegun
        when the processor has no checkpoint.
        """
        shard = shard_of(stream)
        async with self._db.acquire() as connection, connection.transaction():
            checkpoint = await connection.fetchrow(self._sql.lock_checkpoints, *self._key, [shard])
            first = await connection.fetchval(self._sql.parked_from, *self._key, stream)
            if first is None:
                return False
            if checkpoint is None:  # without a row to lock, a processor that begins now would skip what is let go here
                raise NotBegun
            facts = [fact for fact in await log.stream(stream) if fact.version >= first and fact.seq <= checkpoint["seq"]]
            try:
                await self._apply(connection, facts)
            except Exception as error:
                if is_transient(error):
                    raise
                raise StillFaulty from error
            await connection.execute(self._sql.release, *self._key, stream)
        return True

    async def parked(self) -> list[ParkedStream]:
        """The parked streams of this processor, the oldest first."""
        rows = await self._db.fetch(self._sql.parked, *self._key)
        return [ParkedStream(row["reader"], row["stream"], row["from_version"], row["reason"], row["parked_at"]) for row in rows]

    async def reached(self, shard: int, seq: int, stream: str) -> tuple[bool, bool]:
        """Whether the checkpoint has reached `seq`, and whether `stream` is parked."""
        row = await self._db.fetchrow(self._sql.reached, *self._key, shard, seq, stream)
        return row["reached"], row["parked"]


def _following(facts: Sequence[RecordedFact], seq: int, last: bytes) -> tuple[Result, list[RecordedFact]]:
    """Those of `facts` that follow the checkpoint without a gap, each link recomputed; and why it ends where it ends."""
    result, following = Result(), []
    for fact in facts:
        if fact.seq <= seq:
            continue
        if fact.seq > seq + 1:
            result.gap_before = fact.seq
            break
        if fact.prev != last or compute_link(fact) != fact.link:
            result.suspect = fact
            break
        following.append(fact)
        seq, last = fact.seq, fact.link
    result.applied, result.seq = len(following), seq
    return result, following


def _by_stream(facts: Sequence[RecordedFact]) -> dict[str, list[RecordedFact]]:
    found: dict[str, list[RecordedFact]] = {}
    for fact in facts:
        found.setdefault(fact.stream, []).append(fact)
    return found

"""The inbox: from Kafka, and for repair from the log, into the processors of a service (design.md section 4).

Per shard exactly the fact after the checkpoint is applied, and its link recomputed over the received bytes. Older: skipped.
Newer: refilled from the log first. A link that does not follow: the log is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from caselog.read import Head, LogReader
from chassis.eventing.processors.bus_share import SHARE, BusShare
from chassis.eventing.processors.processor import Checkpoint, EventProcessor, Reach, Source
from chassis.eventing.processors.store import ParkedStream, ProcessorStopped, ProcessorStore, Result
from schemas.envelope import Position, RecordedFact

_log = structlog.get_logger("inbox")
APPLIED: Final = Counter("parvandeh_facts_applied", "Facts applied", ["reader", "source"], registry=None)
FORGED: Final = Counter("parvandeh_messages_dropped", "Forged or damaged messages dropped", ["reason"], registry=None)
BEHIND: Final = Gauge("parvandeh_reader_behind", "Facts that a reader has not applied yet", ["reader", "shard"], registry=None)
PARKED: Final = Gauge("parvandeh_parked_streams", "Streams that a reader could not apply", ["reader"], registry=None)
HALTED: Final = Gauge("parvandeh_halted_shards", "Shards that a reader has stopped at a fork", ["reader"], registry=None)
METRICS: Final = (APPLIED, FORGED, BEHIND, PARKED, HALTED, SHARE)
"""What a process with an inbox exports of it."""
TICK_SECONDS: Final = 1.0
STILL_LOOKS: Final = 5
"""Polls that a stalled shard is given before we read it from the log: its facts may only be waiting their turn on the bus."""
LOG_SECONDS: Final = 0.1
"""Polling interval of the log for a service without a bus."""
WAIT_SECONDS: Final = 0.05
"""Polling interval for work that another instance applies; work applied here wakes the waiter at once."""
PAGE: Final = 500


@dataclass(frozen=True, eq=False)
class Waiter:
    """A page that waits until a processor has applied a position."""

    processor: str
    position: Position
    stream: str
    reach: asyncio.Future[Reach] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Inbox:
    """Feeds every processor of one service.

    `bus` off: the log alone is polled. `refill` off: the log is never asked (the journeys show by it that the bus carries
    everything).
    """

    def __init__(
        self, processors: Sequence[EventProcessor], *, db: asyncpg.Pool, log: LogReader, bus: bool = True, refill: bool = True
    ) -> None:
        self.stores = {processor.name: ProcessorStore(processor, db) for processor in processors}
        self._log, self._refill = log, refill
        self.bus = bus
        """Whether facts come by the bus; else the log alone brings them."""
        self.stopped: set[str] = set()
        self._waiters: set[Waiter] = set()
        self._reached: dict[tuple[str, int], Result] = {}
        self.refused: str | None = None
        """Why the broker does not let this service read, from its start until it first does."""
        self._shares = {processor.name: BusShare(processor.name) for processor in processors}
        self._taking = self._taken = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compare checkpoints with the log's heads as long as the block lives, so that a silent bus is noticed."""
        for store in self.stores.values():
            await store.begin()
        task = asyncio.create_task(self._watch(), name="inbox-watch")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def take(self, facts: Sequence[RecordedFact]) -> None:
        """Apply messages of the bus (of any shards, each shard in order). Raises when the database is away."""
        by_shard: dict[int, list[RecordedFact]] = {}
        for fact in facts:
            by_shard.setdefault(fact.shard, []).append(fact)
        self._taking += 1
        try:
            for store in self.stores.values():
                await self._apply(store, by_shard, Source.BUS)
        finally:
            self._taking -= 1
            self._taken += 1

    async def wait(self, processor: str, position: Position, stream: str, seconds: float) -> Reach:
        """Wait until `processor` has applied `position`; at most `seconds`. PARKED when the stream is."""
        known = self._reached.get((processor, position.shard))
        if known is not None and known.seq >= position.seq and stream not in known.parked:
            return Reach.REACHED
        waiter = Waiter(processor, position, stream)
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(WAIT_SECONDS):
                            return await asyncio.shield(waiter.reach)
                    reach = await self._look(waiter)
                    if reach is not Reach.NOT_YET:
                        return reach
        except TimeoutError:
            return Reach.NOT_YET
        finally:
            self._waiters.discard(waiter)

    async def _look(self, waiter: Waiter) -> Reach:
        """What the checkpoints in the database say: another instance may be the one that applies this shard."""
        reached, parked = await self.stores[waiter.processor].reached(waiter.position.shard, waiter.position.seq, waiter.stream)
        if parked:
            return Reach.PARKED
        return Reach.REACHED if reached else Reach.NOT_YET

    async def caught_up(self, processor: str) -> bool:
        """Whether the processor has applied all that the log holds now."""
        return await self._has_applied(processor, await self._log.heads())

    async def catch_up(self, processor: str) -> None:
        """Wait until the processor has applied all that the log holds now; the caller sets the deadline."""
        heads = await self._log.heads()
        while not await self._has_applied(processor, heads):  # noqa: ASYNC110 - the condition lies in a database
            await asyncio.sleep(WAIT_SECONDS)

    async def _has_applied(self, processor: str, heads: Mapping[int, Head]) -> bool:
        checkpoints = await self.stores[processor].checkpoints()
        return all(checkpoints[shard].seq >= head.seq for shard, head in heads.items())

    async def parked(self) -> list[ParkedStream]:
        """The parked streams of this service, processor by processor."""
        found: list[ParkedStream] = []
        for store in self.stores.values():
            found += await store.parked()
        return found

    async def release(self, processor: str, stream: str) -> bool:
        """Apply a parked stream again and let it go on; False when it was not parked. Raises StillFaulty, NotBegun."""
        return await self.stores[processor].release(stream, self._log)

    async def behind(self) -> dict[str, dict[int, int]]:
        """How many facts of each shard each processor has not applied yet."""
        heads = await self._log.heads()
        return {name: _behind(heads, await store.checkpoints()) for name, store in self.stores.items()}

    def share(self, processor: str) -> float | None:
        """The part of the last facts that came by the bus; None where too few were applied to tell, or there is no bus."""
        return self._shares[processor].value() if self.bus else None

    async def _apply(self, store: ProcessorStore, runs: Mapping[int, Sequence[RecordedFact]], source: Source) -> None:
        if store.processor.name in self.stopped:
            return
        try:
            results = await store.apply_together(runs)
        except ProcessorStopped:
            self.stopped.add(store.processor.name)
            _log.critical("reader_stopped", reader=store.processor.name)
            return
        for shard, result in results.items():
            self._tell(store.processor.name, shard, result)
            APPLIED.labels(store.processor.name, source).inc(result.applied)
            if result.applied:
                self._shares[store.processor.name].count(source, shard, result.seq, result.applied)
        for shard, result in results.items():
            await self._settle(store, shard, runs[shard], result, source)

    async def _settle(
        self, store: ProcessorStore, shard: int, facts: Sequence[RecordedFact], result: Result, source: Source
    ) -> None:
        """Do something about a fact that did not follow."""
        if source is Source.LOG:
            if result.suspect is not None:
                # The log's own facts do not follow what was applied.
                await store.halt(shard, f"fork at {result.suspect.seq}")
            return
        if result.suspect is not None:
            await self._ask_the_log(store, shard, result.suspect)
        elif result.gap_before is not None and self._refill:
            await self._refill_shard(store, shard)
            # What lies beyond the log itself is not true, or not seen by a standby yet: it is left to the watch.
            if (await store.checkpoints())[shard].seq + 1 >= result.gap_before:
                await self._apply(store, {shard: [each for each in facts if each.seq >= result.gap_before]}, Source.BUS)

    def _tell(self, processor: str, shard: int, result: Result) -> None:
        """Remember where a shard is, and wake whoever waits for it in this process."""
        self._reached[processor, shard] = result
        for waiter in self._waiters:
            if (waiter.processor, waiter.position.shard) == (processor, shard) and not waiter.reach.done():
                if waiter.stream in result.parked:
                    waiter.reach.set_result(Reach.PARKED)
                elif result.seq >= waiter.position.seq:
                    waiter.reach.set_result(Reach.REACHED)

    async def _ask_the_log(self, store: ProcessorStore, shard: int, suspect: RecordedFact) -> None:
        """The log agrees with the checkpoint: the message is forged or damaged. It differs: the log itself was forked."""
        checkpoint = (await store.checkpoints())[shard]
        at = await self._log.at(Position(shard, checkpoint.seq)) if checkpoint.seq else None
        if checkpoint.seq and (at is None or at.link != checkpoint.hash):
            await store.halt(shard, f"fork at {checkpoint.seq}")
            return
        FORGED.labels("link").inc()
        _log.error("message_dropped", reader=store.processor.name, shard=shard, seq=suspect.seq, reason="link")
        await self._refill_shard(store, shard)  # also with refill off: what was forged is never applied, what is true must be

    async def _refill_shard(self, store: ProcessorStore, shard: int) -> None:
        while store.processor.name not in self.stopped:
            checkpoint = (await store.checkpoints())[shard]
            if checkpoint.halted is not None:
                return
            page = await self._log.shard(shard, checkpoint.seq, PAGE)
            if not page:
                return
            await self._apply(store, {shard: page}, Source.LOG)

    async def _watch(self) -> None:
        still: dict[tuple[str, int], tuple[int, int]] = {}
        taken = 0
        while True:
            await asyncio.sleep(TICK_SECONDS if self.bus else LOG_SECONDS)
            silent, taken = not self._taking and self._taken == taken, self._taken
            try:
                still = await self._repair(still, 1 if silent else STILL_LOOKS)
            except Exception as error:  # noqa: BLE001 - a watch that died unseen would leave a silent bus unnoticed
                _log.warning("repair_interrupted", error=type(error).__name__)

    async def _repair(self, before: dict[tuple[str, int], tuple[int, int]], looks: int) -> dict[tuple[str, int], tuple[int, int]]:
        """Refill each shard that is behind and has not moved for `looks` looks; a fact under way is not taken from the bus.

        `before` and the answer: for each shard that is behind its checkpoint and for how many looks it has stood there.
        """
        heads = await self._log.heads()
        still: dict[tuple[str, int], tuple[int, int]] = {}
        for store in self.stores.values():
            checkpoints = await store.checkpoints()
            await self._show(store, heads, checkpoints)
            if self.bus and not self._refill:
                continue
            for shard, checkpoint in checkpoints.items():
                if checkpoint.seq >= heads[shard].seq or checkpoint.halted is not None:
                    continue
                key = (store.processor.name, shard)
                seq, stood = before.get(key, (-1, 0))
                stood = stood + 1 if seq == checkpoint.seq else 0
                if not self.bus or stood >= looks:
                    await self._refill_shard(store, shard)
                else:
                    still[key] = (checkpoint.seq, stood)
        return still

    async def _show(self, store: ProcessorStore, heads: Mapping[int, Head], checkpoints: Mapping[int, Checkpoint]) -> None:
        name = store.processor.name
        for shard, count in _behind(heads, checkpoints).items():
            BEHIND.labels(name, shard).set(count)
        PARKED.labels(name).set(len(await store.parked()))
        HALTED.labels(name).set(sum(each.halted is not None for each in checkpoints.values()))
        self._shares[name].begin(heads)
        if self.bus:
            self._shares[name].check()


def _behind(heads: Mapping[int, Head], checkpoints: Mapping[int, Checkpoint]) -> dict[int, int]:
    return {shard: max(0, heads[shard].seq - checkpoint.seq) for shard, checkpoint in checkpoints.items()}

"""The other end of the bus, in a process of its own: `python -m tests.bench.applied`, the order as JSON on stdin.

Either a whole service (its inbox with both readers, as review runs them) or a bare aiokafka consumer. Answers how long each
fact was on its way, in milliseconds: from the clock of the writer to the clock here, which is the same machine's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.eventing.kafka.consumer import running_bus
from chassis.eventing.kafka.topic import PARTITIONS
from chassis.eventing.processors.inbox import APPLIED, Inbox
from chassis.eventing.processors.store import ProcessorStore, Result
from chassis.runtime.container import open_container
from chassis.settings import Settings
from chassis.telemetry import registry_of
from schemas.envelope import Position, RecordedFact
from services.review.reactions import processors
from tests.bench.samples import NothingMeasured, answer

_FIGURES: Final = registry_of(APPLIED)
DEADLINE_SECONDS: Final = 120.0
"""What has not come by then is lost, or the run was broken off."""
SENT_AT: Final = "sent_at"
"""The header in which a bare producer says when it sent."""
MOMENT_SECONDS: Final = 1.5
"""Longer than the watch's look at the log, so that it would have repaired within it what the bus did not bring."""
PEER_TOPIC: Final = "bench.bare"
READY: Final = b"ready\n"


@dataclass(frozen=True)
class Order:
    """How many facts are awaited, and by what."""

    count: int
    bare: bool
    bootstrap: str
    streams: str = ""
    """So the streams begin whose facts count: those of this round, and not what the group reads again of the one before."""


class Watched(ProcessorStore):
    """A store that notes when what it applied was committed."""

    applied: dict[Position, list[float]]
    streams: str

    async def apply_together(self, runs: Mapping[int, Sequence[RecordedFact]]) -> dict[int, Result]:
        results = await super().apply_together(runs)
        now = time.time()
        for fact in (fact for shard, result in results.items() for fact in runs[shard] if fact.seq <= result.seq):
            if fact.stream.startswith(self.streams):
                self.applied.setdefault(fact.position, []).append((now - fact.recorded_at.timestamp()) * 1000)
        return results


async def _service(order: Order) -> list[float]:
    settings = Settings()
    applied: dict[Position, list[float]] = {}
    async with open_container(settings, "review", processors) as container:
        for name, store in container.inbox.stores.items():
            watched = Watched(store.processor, container.db)
            watched.applied, watched.streams = applied, order.streams
            container.inbox.stores[name] = watched
        both = len(container.inbox.stores)
        async with container.inbox.running(), running_bus(settings, "review", container.inbox):
            await _flowing(container.inbox)
            _ready()
            while sum(len(each) >= both for each in applied.values()) < order.count:  # noqa: ASYNC110 - counted by the shelves
                await asyncio.sleep(0.05)
    return [each[both - 1] for each in applied.values()]


async def _flowing(inbox: Inbox) -> None:
    """Wait until a moment brought facts to every reader, all of them by the bus, and nothing is left behind.

    Before, the log repairs what the bus does not bring: the group has no members yet, or still reads what earlier rounds
    published again and again, which is skipped.
    """
    before = {reader: (_applied(reader, "bus"), _applied(reader, "log")) for reader in inbox.stores}
    while True:
        await asyncio.sleep(MOMENT_SECONDS)
        now = {reader: (_applied(reader, "bus"), _applied(reader, "log")) for reader in inbox.stores}
        moved = all(now[each][0] > before[each][0] + 1 and now[each][1] == before[each][1] for each in now)
        if moved and all([await inbox.caught_up(each) for each in now]):
            return
        before = now


def _applied(reader: str, source: str) -> float:
    return _FIGURES.get_sample_value("parvandeh_facts_applied_total", {"reader": reader, "source": source}) or 0.0


async def _bare(order: Order) -> list[float]:
    consumer = AIOKafkaConsumer(bootstrap_servers=order.bootstrap)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(PEER_TOPIC, number) for number in range(PARTITIONS)])
        await consumer.seek_to_end()
        _ready()
        took: list[float] = []
        while len(took) < order.count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                now = time.time()
                took += [(now - float(dict(record.headers)[SENT_AT])) * 1000 for record in records]
        return took
    finally:
        await consumer.stop()


def _ready() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


async def _carry_out(order: Order) -> list[float]:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await (_bare(order) if order.bare else _service(order))
    except TimeoutError:
        raise NothingMeasured(f"not all of {order.count} facts had come after {DEADLINE_SECONDS:.0f} s") from None


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is the answer
    answer(lambda: asyncio.run(_carry_out(Order(**orjson.loads(sys.stdin.buffer.readline())))))

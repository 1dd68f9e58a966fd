"""The other end of the bus as a whole service: `python -m tests.bench.applied`, the order as JSON on stdin.

Its inbox with both readers, as review runs them. Answers as the bare consumer beside it does (consumed.py).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from chassis.eventing.kafka.consumer import running_bus
from chassis.eventing.processors.inbox import APPLIED, Inbox
from chassis.eventing.processors.store import ProcessorStore, Result
from chassis.runtime.container import open_container
from chassis.settings import Settings
from chassis.telemetry import registry_of
from schemas.envelope import Position, RecordedFact
from services.review.reactions import processors
from tests.bench.consumed import Order, carry_out, say_ready

_FIGURES: Final = registry_of(APPLIED)
MOMENT_SECONDS: Final = 1.5
"""Longer than the watch's look at the log, so that it would have repaired within it what the bus did not bring."""


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
            say_ready()
            while sum(len(each) >= both for each in applied.values()) < order.count:  # noqa: ASYNC110 - counted by the stores
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


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is the answer
    carry_out(_service)

"""How much of what is applied came from the bus: the bus is really used, and somebody is told when it is not."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from prometheus_client import Gauge

from caselog.read import Head
from chassis.eventing.processors.processor import Source

_log = structlog.get_logger("inbox")
SHARE: Final = Gauge(
    "parvandeh_bus_share", "Share of new facts applied from the bus in the last five minutes", ["reader"], registry=None
)
LEAST: Final = 0.99
"""Below this share the alarm rings (design.md section 4)."""
WINDOW_SECONDS: Final = 300.0
ENOUGH: Final = 200
"""Fewest new facts that the share is computed from; with fewer, one repaired page would raise the alarm."""
AGAIN_SECONDS: Final = 60.0


class BusShare:
    """The share of one processor. Only facts after the log's heads at its start count: catching up is the log's work."""

    def __init__(self, processor: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._processor, self._clock = processor, clock
        self._began: dict[int, int] | None = None
        self._counted: deque[tuple[float, Source, int]] = deque()
        self._alerted_at = float("-inf")

    def begin(self, heads: Mapping[int, Head]) -> None:
        """Remember where the log stood when the processor began; asked again, it changes nothing."""
        if self._began is None:
            self._began = {shard: head.seq for shard, head in heads.items()}

    def count(self, source: Source, shard: int, last_seq: int, applied: int) -> None:
        """`applied` facts of a shard up to `last_seq` came from `source`."""
        if self._began is None:
            return
        new = min(applied, last_seq - self._began[shard])
        if new > 0:
            self._counted.append((self._clock(), source, new))

    def value(self) -> float | None:
        """The share in the window; None while too little was applied to tell."""
        while self._counted and self._counted[0][0] < self._clock() - WINDOW_SECONDS:
            self._counted.popleft()
        total = sum(count for _, _, count in self._counted)
        if total < ENOUGH:
            return None
        return sum(count for _, source, count in self._counted if source is Source.BUS) / total

    def check(self) -> bool:
        """Show the share, and ring the alarm (at most once a minute) when it is too low; whether it rang."""
        share = self.value()
        if share is None:
            return False
        SHARE.labels(self._processor).set(share)
        if share >= LEAST or self._clock() - self._alerted_at < AGAIN_SECONDS:
            return False
        self._alerted_at = self._clock()
        _log.error("bus_share_low", reader=self._processor, share=round(share, 4))
        return True

"""Back-off before a process that ended unexpectedly is restarted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WAITS: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds before each start that follows another failure."""
STEADY_SECONDS: Final = 10.0
"""A process that ran this long did not fail at its start: its failure count is reset."""


@dataclass
class BackOff:
    """One child's failures in a row; times are seconds of one clock."""

    began: float
    failures: int = 0

    def ended(self, now: float) -> float:
        """Count an end and return the seconds to wait. A stack that runs for years survives many ends that follow steady runs."""
        self.failures = 1 if now - self.began > STEADY_SECONDS else self.failures + 1
        return WAITS[min(self.failures, len(WAITS)) - 1]

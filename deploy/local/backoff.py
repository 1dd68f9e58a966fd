"""How long to wait before what ended by itself is started again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WAITS: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds before each start that follows another failure."""
STEADY_SECONDS: Final = 10.0
"""Who ran this long did not fail at its start: its failures are counted anew."""


@dataclass
class BackOff:
    """One child's failures in a row; times are seconds of one clock."""

    began: float
    failures: int = 0

    def ended(self, now: float) -> float:
        """Count an end, and say how many seconds to wait. A house that runs for years outlives many ends, if each was steady."""
        self.failures = 1 if now - self.began > STEADY_SECONDS else self.failures + 1
        return WAITS[min(self.failures, len(WAITS)) - 1]

"""How a process of ours ends when a supervisor can do something about it."""

from __future__ import annotations

from typing import Final

OUTDATED: Final = 4
"""`serve`: rows were built by another version of their reader; `rebuild` builds them anew, then it starts."""
ROWS_DIFFERED: Final = 3
"""`rebuild`: done, and rows were otherwise than the log says."""

"""Review's own constants of operation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
TITLE: Final = "Review"

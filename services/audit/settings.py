"""Audit's own constants of operation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOM: Final = Path(__file__).parent
TITLE: Final = "Audit"

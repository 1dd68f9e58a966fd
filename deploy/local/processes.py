"""What is run by `owner` before anything else starts."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("caselog", ("migrate",)),
    ("chassis.vault", ("migrate",)),
    ("chassis.bus", ("migrate",)),
)
"""Module and arguments, in this order."""

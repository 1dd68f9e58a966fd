"""A deadline as it stands in the fact that opens a wait (design.md section 7)."""

from __future__ import annotations

from datetime import datetime

from schemas.envelope.fact import Value


class Deadline(Value):
    """When a wait is due, how it was counted, and by which calendar, so that a rebuild counts nothing again."""

    due_at: datetime
    """UTC; the end of the last working day."""
    working_days: int
    calendar_version: int

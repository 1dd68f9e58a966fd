"""Shared by review's pages."""

from __future__ import annotations

from typing import Final

WAIT_SECONDS: Final = 2.0
"""How long a page waits for the rows to show what was just done."""

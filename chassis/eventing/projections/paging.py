"""A list that is longer than a page of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from asyncpg import Record


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list in its order, and where the next ones begin."""

    rows: Sequence[Record]
    next: str
    """The last of these rows as its list names it: the next page is what stands behind it. Empty when nothing does."""

    @classmethod
    def of(cls, found: Sequence[Record], size: int, place: Callable[[Record], str]) -> Self:
        """The first `size` rows of `found`, which holds one more when the list goes on: a full last page promises no other."""
        rows = found[:size]
        return cls(rows, place(rows[-1]) if len(found) > size else "")

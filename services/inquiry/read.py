"""The questions that inquiry's pages may ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg

from caselog.queries import Queries
from caselog.read import LogReader
from chassis.folding import Folded
from services.inquiry.decide import State, evolve

PAGE: Final = 20
"""Answers a page: fifty were seventeen screens of a phone."""

Case = Folded[State]
"""One case from its facts."""


class Inquiries:
    """Inquiry's rows, and single cases straight from the log."""

    def __init__(self, own: asyncpg.Pool, log: LogReader) -> None:
        self._own, self._log = own, log
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def load(self, case_id: str) -> Case | None:
        """A case as it stands in the log, or None."""
        return await Case.load(self._log, f"case:{case_id}", State(), evolve)

    async def waiting(self, agency: str) -> Sequence[asyncpg.Record]:
        """The open questions to an agency, the most urgent first."""
        rows: Sequence[asyncpg.Record] = await self._own.fetch(self._sql.waiting, agency)
        return rows

    async def answered(self, agency: str, before: str = "") -> Sequence[asyncpg.Record]:
        """A page of an agency's answers, newest first; `before` is the question that ended the page before, or nothing.

        Named as `place` names it and not by its time: of two answers of one moment a time alone would skip one.
        """
        case_id, _, inquiry_id = before.partition("/")
        stream = f"case:{case_id}" if before else None
        rows: Sequence[asyncpg.Record] = await self._own.fetch(self._sql.answered, agency, stream, inquiry_id, PAGE)
        return rows


def place(row: asyncpg.Record) -> str:
    """What a question is called in the path of its page, and where a page of answers ends."""
    return f"{row['stream'].removeprefix('case:')}/{row['inquiry_id']}"

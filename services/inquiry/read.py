"""The questions that inquiry's pages may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from caselog.db.queries import Queries
from caselog.read import LogReader
from chassis.eventing.commands.loaded_stream import LoadedStream
from chassis.eventing.projections.paging import Page
from services.inquiry.decide import DECIDER, State

PAGE: Final = 20
"""Questions a page: fifty were seventeen screens of a phone."""

Case = LoadedStream[State]
"""One case from its facts."""


class Inquiries:
    """Inquiry's rows, and single cases straight from the log."""

    def __init__(self, db: asyncpg.Pool, log: LogReader) -> None:
        self._db, self._log = db, log
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def load(self, case_id: str) -> Case | None:
        """A case as the log has it, or None."""
        return await Case.load(self._log, f"case:{case_id}", DECIDER)

    async def waiting(self, agency: str, after: str = "") -> Page:
        """Open questions to an agency, the most urgent first; `after` is the question that ended the page before, or nothing.

        Named as `place` names it and not by its time: of two questions of one moment a time alone would skip one.
        """
        return await self._page(self._sql.waiting, agency, after)

    async def count_waiting(self, agency: str) -> int:
        """How many questions to an agency are open."""
        count: int = await self._db.fetchval(self._sql.count_waiting, agency)
        return count

    async def answered(self, agency: str, before: str = "") -> Page:
        """An agency's answers, the newest first; `before` is the question that ended the page before, or nothing."""
        return await self._page(self._sql.answered, agency, before)

    async def _page(self, query: str, agency: str, end: str) -> Page:
        case_id, _, inquiry_id = end.partition("/")
        stream = f"case:{case_id}" if end else None
        return Page.of(await self._db.fetch(query, agency, stream, inquiry_id, PAGE + 1), PAGE, place)


def place(row: asyncpg.Record) -> str:
    """A question's key in the path of its page, and in the address of the list page after it."""
    return f"{row['stream'].removeprefix('case:')}/{row['inquiry_id']}"

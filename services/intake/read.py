"""The questions that intake's pages may ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Self

import asyncpg

from caselog.db.queries import Queries
from caselog.read import LogReader
from chassis.eventing.commands.loaded_stream import LoadedStream
from chassis.eventing.projections.paging import Page
from schemas.facts.intake import OfficeChanged, OfficeHours, OfficeRegistered
from schemas.labels import Language
from services.intake.decide import DECIDER, State

PAGE = 50
UNREAD_FOR = timedelta(days=90)
"""Older notices count as read: the count must not scan everything that an office was ever told."""


@dataclass
class Told:
    """The notices caused by one fact."""

    template: str
    applicant: list[asyncpg.Record]
    """The channels by which the applicant was told, or could not be: channel, failed, sent_at."""
    office: list[asyncpg.Record]
    version: int
    """The version of the newest notice of these in the stream."""

    def add(self, row: asyncpg.Record) -> None:
        (self.office if row["recipient"] == "office" else self.applicant).append(row)


class Case(LoadedStream[State]):
    """One case from its facts: what intake decides on, and the facts themselves."""

    @property
    def case_id(self) -> str:
        return self.stream.removeprefix("case:")


class Opening(NamedTuple):
    """Consecutive days on which an office has the same opening hours."""

    first: int
    """A weekday; 0 is Saturday."""
    last: int
    times: tuple[tuple[int, int], ...]
    """When it opens and closes, in minutes since midnight; twice where it closes at noon."""


def openings(hours: Iterable[OfficeHours]) -> list[Opening]:
    """Opening hours as people say them: days that are alike together."""
    week = {
        day: tuple((each.opens, each.closes) for each in of_day)
        for day, of_day in groupby(sorted(hours, key=lambda each: (each.weekday, each.opens)), lambda each: each.weekday)
    }
    found: list[Opening] = []
    for day, times in week.items():
        if found and (found[-1].last, found[-1].times) == (day - 1, times):
            found[-1] = found[-1]._replace(last=day)
        else:
            found.append(Opening(day, day, times))
    return found


class Office(LoadedStream[State]):
    """One counter office from its facts."""

    @classmethod
    async def read(cls, log: LogReader, office_id: str) -> Self | None:
        """An office as the log has it, or None if it was never registered."""
        found = await cls.load(log, f"office:{office_id}", DECIDER)
        return found if found is not None and found.state.office_registered else None

    @property
    def office_id(self) -> str:
        return self.stream.removeprefix("office:")

    @property
    def registration(self) -> OfficeRegistered | OfficeChanged:
        """The current registration: complete in the last fact that holds it."""
        return next(fact for _, fact in reversed(self.facts) if isinstance(fact, OfficeRegistered | OfficeChanged))

    @property
    def openings(self) -> list[Opening]:
        """Its opening hours; empty if none were given."""
        return openings(self.registration.hours)

    def label(self, language: Language) -> str:
        """Its name in `language`."""
        return self.registration.name_fa if language == "fa" else self.registration.name_en


class Cases:
    """Intake's rows, and single cases straight from the log."""

    def __init__(self, db: asyncpg.Pool, log: LogReader) -> None:
        self._db, self._log = db, log
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def load(self, case_id: str) -> Case | None:
        """A case as the log has it, or None."""
        return await Case.load(self._log, f"case:{case_id}", DECIDER)

    async def office(self, office_id: str) -> Office | None:
        """A counter office as the log has it, or None if it was never registered."""
        return await Office.read(self._log, office_id)

    async def row(self, case_id: str) -> asyncpg.Record | None:
        """The row of a case."""
        return await self._db.fetchrow(self._sql.case, f"case:{case_id}")

    async def mine(self, subject: str, before: str = "") -> Page:
        """A citizen's cases, newest first; `before` is the case that ended the page before, or nothing.

        Named by the case and not by its time: of two filings of one moment a time alone would skip one.
        """
        return await self._page(self._sql.mine, subject, before)

    async def of_office(self, office: str, before: str = "") -> Page:
        """An office's own filings, newest first; `before` is the case that ended the page before, or nothing."""
        return await self._page(self._sql.of_office, office, before)

    async def _page(self, query: str, whose: str, before: str) -> Page:
        found = await self._db.fetch(query, whose, f"case:{before}" if before else None, PAGE + 1)
        return Page.of(found, PAGE, lambda row: row["stream"].removeprefix("case:"))

    async def for_clerks(self) -> tuple[Sequence[asyncpg.Record], int]:
        """The oldest cases that wait for an identity clerk, and how many wait in all."""
        waiting: int = await self._db.fetchval(self._sql.waiting_for_clerks)
        return await self._db.fetch(self._sql.for_clerks, PAGE), waiting

    async def by_tracking_code(self, code: str) -> asyncpg.Record | None:
        """The case of a tracking code as it is shown."""
        return await self._db.fetchrow(self._sql.by_tracking_code, code)

    async def by_certificate(self, certificate_id: str) -> asyncpg.Record | None:
        """The case of a certificate."""
        return await self._db.fetchrow(self._sql.by_certificate, certificate_id)

    async def told(self, stream: str) -> list[Told]:
        """Notices about a case, with recipients and channels, newest first."""
        told: dict[str, Told] = {}
        for row in await self._db.fetch(self._sql.notices, stream):
            told.setdefault(row["about"], Told(row["template"], [], [], row["version"])).add(row)
        return list(told.values())

    async def of_office_told(self, office: str) -> tuple[Sequence[asyncpg.Record], int]:
        """The newest notices to an office about its own filings, and how many of the last months it has not read."""
        unread: int = await self._db.fetchval(self._sql.unread_of_office, office, UNREAD_FOR)
        return await self._db.fetch(self._sql.notices_of_office, office, PAGE), unread

    async def see(self, office: str, stream: str, version: int) -> None:
        """The office has read the notices of a case up to `version` of its stream."""
        await self._db.execute(self._sql.see_case, office, stream, version)

    async def see_all(self, office: str, until: datetime) -> None:
        """The office has read every notice that was sent up to `until`."""
        await self._db.execute(self._sql.see_all, office, until)

    async def figures(self) -> asyncpg.Record:
        """How many cases were filed, ended, and filed out of hours."""
        return await self._db.fetchrow(self._sql.figures)

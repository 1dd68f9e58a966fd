"""The questions that review's pages and reactions may ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg

from caselog.db.queries import Queries
from caselog.read import LogReader
from chassis.eventing.commands.loaded_stream import LoadedStream
from chassis.eventing.projections.paging import Page
from chassis.privacy.vault import Vault
from schemas.facts import review
from schemas.facts.review import Candidate, Exclusion
from services.review.decide import DECIDER, State

LEAST = 2
"""A pool below this size is widened to the whole city (design.md section 6: the draw may be from another district)."""

PAGE: Final = 20
"""Rows of a supervisor's list a page."""

AT_A_TIME: Final = 500
"""Aliases compared before yielding to other tasks: about 3 ms."""


class Case(LoadedStream[State]):
    """One case from its facts."""

    @property
    def case_id(self) -> str:
        return self.stream.removeprefix("case:")


def draw_name(stream: str, stage: str, round_: int) -> str:
    """The source of a reviewer's alias in one draw: a different alias in each draw."""
    return f"{stream} {stage} {round_}"


class Cases:
    """Review's rows, and single cases straight from the log."""

    def __init__(self, db: asyncpg.Pool, log: LogReader, vault: Vault) -> None:
        self._db, self._log, self._vault = db, log, vault
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def load(self, case_id: str) -> Case | None:
        """A case as the log has it, or None."""
        return await Case.load(self._log, f"case:{case_id}", DECIDER)

    def alias_in(self, staff: str, stream: str, state: State) -> str:
        """The alias of a member of staff in the current draw of a case."""
        return self._vault.alias(staff, draw_name(stream, state.stage, state.round))

    async def queue(self, staff: str) -> list[asyncpg.Record]:
        """The cases that are drawn for this reviewer, the most urgent first. Aliases are compared, none is stored.

        An alias costs a keyed hash for each drawn case of the city. They are compared some at a time: while all were compared in
        one go, the door answered nobody.
        """
        mine: list[tuple[str, str]] = []
        async with self._db.acquire() as connection, connection.transaction(readonly=True):
            cursor = await connection.cursor(self._sql.assigned)
            while rows := await cursor.fetch(AT_A_TIME):
                mine += [(r["stream"], r["drawn"]) for r in rows if self._is_drawn(staff, r)]
        queue: list[asyncpg.Record] = await self._db.fetch(
            self._sql.queue, [each[0] for each in mine], [each[1] for each in mine]
        )
        return queue

    def _is_drawn(self, staff: str, row: asyncpg.Record) -> bool:
        alias = self._vault.alias(staff, draw_name(row["stream"], row["stage"], row["round"]))
        return bool(row["drawn"] == alias)

    async def can_be_drawn(self, staff: str) -> bool:
        """Whether a member of staff can be drawn, by the log as it is now."""
        found = await LoadedStream.load(self._log, f"staff:{staff}", DECIDER)
        return found is not None and found.state.enrolled

    async def drawn_in(self, case: Case) -> str | None:
        """The reviewer who holds a case now, even if they have left; None if nobody does."""
        everybody = [row["staff"] for row in await self._db.fetch(self._sql.everybody)]
        return next((who for who in everybody if self.alias_in(who, case.stream, case.state) == case.state.drawn), None)

    async def reviewers(self) -> Sequence[asyncpg.Record]:
        """Who can be drawn."""
        rows: Sequence[asyncpg.Record] = await self._db.fetch(self._sql.reviewers)
        return rows

    async def pool(self, case: Case) -> tuple[tuple[Candidate, ...], tuple[Exclusion, ...]]:
        """The reviewers who may be drawn in the next round of a case, and who is excluded and why."""
        state = case.state
        able = [row for row in await self.reviewers() if not row["stages"] or state.stage in row["stages"]]
        near = [row for row in able if state.district in row["districts"]]
        refused = self._refused(case)
        pool, excluded = [], []
        for row in near if len(near) >= LEAST else able:
            alias = self._vault.alias(row["staff"], draw_name(case.stream, state.stage, state.round + 1))
            if row["office"] is not None and row["office"] == state.office:
                excluded.append(Exclusion(alias=alias, reason="interest"))
            elif any(self._vault.alias(row["staff"], name) == drawn for name, drawn in refused):
                excluded.append(Exclusion(alias=alias, reason="refused_before"))
            else:
                pool.append(Candidate(alias=alias, weight=row["weight"]))
        # By alias, so that the order tells nothing of the list of staff.
        return tuple(sorted(pool, key=lambda each: each.alias)), tuple(sorted(excluded, key=lambda each: each.alias))

    def _refused(self, case: Case) -> list[tuple[str, str]]:
        made = [fact for _, fact in case.facts if isinstance(fact, review.DrawMade)]
        return [(draw_name(case.stream, fact.stage, fact.round), fact.drawn) for fact in made]

    async def named(self, streams: Sequence[str]) -> dict[str, asyncpg.Record]:
        """What a list shows of each of these cases: its type and district; by stream, without unknown ones."""
        return {row["stream"]: row for row in await self._db.fetch(self._sql.named, streams)}

    async def escalations(self, after: str = "") -> Page:
        """Missed deadlines of running cases, newest first; `after` is the last one of the previous page, or None."""
        case_id, _, version = after.partition("/")
        stream = f"case:{case_id}" if after else None
        found = await self._db.fetch(self._sql.escalations, stream, version, PAGE + 1)
        return Page.of(found, PAGE, lambda row: f"{_id(row)}/{row['version']}")

    async def undrawn(self, after: str = "") -> Page:
        """Confirmed cases without a drawn reviewer, oldest first; `after` is the last one of the previous page, or None."""
        return await self._page(self._sql.undrawn, after)

    async def suspended(self, after: str = "") -> Page:
        """Cases that are with the commission, the oldest first; `after` ended the page before, or is nothing."""
        return await self._page(self._sql.suspended, after)

    async def _page(self, query: str, after: str) -> Page:
        stream = f"case:{after}" if after else None
        return Page.of(await self._db.fetch(query, stream, PAGE + 1), PAGE, _id)

    async def supervised(self) -> asyncpg.Record:
        """How many `escalations`, `undrawn` and `suspended` there are in all."""
        return await self._db.fetchrow(self._sql.supervised)

    async def desks(self) -> Sequence[asyncpg.Record]:
        """How many drawn cases each district and stage has."""
        rows: Sequence[asyncpg.Record] = await self._db.fetch(self._sql.desks)
        return rows


def _id(row: asyncpg.Record) -> str:
    case_id: str = row["stream"].removeprefix("case:")
    return case_id

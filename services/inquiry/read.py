"""The questions that inquiry's pages may ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from caselog.queries import Queries
from caselog.read import LogReader
from schemas.envelope import Recorded
from schemas.facts import AnyFact, decode
from services.inquiry.decide import State, evolve


@dataclass(frozen=True)
class Case:
    """One case from its facts."""

    stream: str
    state: State
    facts: tuple[tuple[Recorded, AnyFact], ...]

    @property
    def version(self) -> int:
        return self.facts[-1][0].version


class Inquiries:
    """Inquiry's rows, and single cases straight from the log."""

    def __init__(self, own: asyncpg.Pool, log: LogReader) -> None:
        self._own, self._log = own, log
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def load(self, case_id: str) -> Case | None:
        """A case as it stands in the log, or None."""
        recorded = await self._log.stream(f"case:{case_id}")
        if not recorded:
            return None
        facts = tuple((each, decode(each.type, each.type_version, each.body)) for each in recorded)
        state = State()
        for each, fact in facts:
            state = evolve(state, fact, each.recorded_at)
        return Case(f"case:{case_id}", state, facts)

    async def waiting(self, agency: str) -> Sequence[asyncpg.Record]:
        """The open questions to an agency, the most urgent first."""
        rows: Sequence[asyncpg.Record] = await self._own.fetch(self._sql.waiting, agency)
        return rows

    async def answered(self, agency: str) -> Sequence[asyncpg.Record]:
        """The last answers of an agency."""
        rows: Sequence[asyncpg.Record] = await self._own.fetch(self._sql.answered, agency)
        return rows

"""The auditors' questions: a case's timeline with everything recomputed, straight from the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import asyncpg
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import AwareDatetime

from caselog.chain import ZERO_LINK
from caselog.db.queries import Queries
from caselog.read import LogReader
from caselog.timeline import Entry, timeline
from chassis.privacy.tracking_codes import read_tracking_code
from chassis.web.routes import ResponseModel
from schemas.clocks import Clocks, Holder, fold
from schemas.draws import DrawCheck, odds, recompute
from schemas.envelope import Position
from schemas.facts import decode


class FactEntry(ResponseModel):
    """One fact of a case."""

    position: str
    version: int
    type: str
    recorded_at: str
    actor: str
    link: str
    whole: bool
    words_fa: str
    words_en: str
    body: dict[str, Any]
    """The stored body; its schema is that of the fact's type and version (schemas/json)."""


class DrawEntry(ResponseModel):
    """One draw, recomputed."""

    stage: str
    round: int
    commitment: str
    odds: dict[str, str]
    """Alias -> share, as a fraction."""
    drawn: str | None
    faults: tuple[str, ...]


class TimelineReport(ResponseModel):
    """What an auditor's program reads of one case."""

    case: str
    read_at: AwareDatetime
    chain: Literal["whole", "broken"]
    facts: tuple[FactEntry, ...]
    clocks: dict[Holder, float]
    """Seconds of each clock's holder."""
    draws: tuple[DrawEntry, ...]


@dataclass(frozen=True)
class Report:
    """What an auditor reads of one case."""

    case_id: str
    entries: tuple[Entry, ...]
    linked: bool
    """Whether each fact's predecessor in its shard is the fact whose link it names."""
    clocks: Clocks
    at: datetime
    draws: tuple[DrawCheck, ...]

    @property
    def whole(self) -> bool:
        return self.linked and all(entry.whole for entry in self.entries)

    def told(self) -> TimelineReport:
        """The report for a machine."""
        return TimelineReport(
            case=self.case_id,
            read_at=self.at,
            chain="whole" if self.whole else "broken",
            facts=tuple(FactEntry(**asdict(entry)) for entry in self.entries),
            clocks={holder: took.total_seconds() for holder, took in self.clocks.at(self.at).items()},
            draws=tuple(
                DrawEntry(
                    stage=check.stage,
                    round=check.round,
                    commitment=check.link.hex(),
                    odds={alias: str(share) for alias, share in odds(check.committed.pool).items()},
                    drawn=check.made.drawn if check.made else None,
                    faults=check.faults,
                )
                for check in self.draws
            ),
        )


class Audit:
    """Finds cases and reports on them."""

    def __init__(self, db: asyncpg.Pool, log: LogReader, witness_keys: Mapping[str, RSAPublicKey]) -> None:
        self._db, self._log, self._keys = db, log, witness_keys
        self._sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def find(self, text: str) -> str | None:
        """The case id that a tracking code, a case id or a position leads to, or None."""
        if code := read_tracking_code(text):
            stream: str | None = await self._db.fetchval(self._sql.by_tracking_code, code)
            return stream.removeprefix("case:") if stream else None
        try:
            fact = await self._log.at(Position.parse(text.strip()))
            return fact.stream.removeprefix("case:") if fact and fact.stream.startswith("case:") else None
        except ValueError:
            case_id = text.strip().lower().removeprefix("case:")
            return case_id if case_id.isalnum() and await self._log.stream(f"case:{case_id}", until_version=1) else None

    async def latest(self) -> Sequence[asyncpg.Record]:
        """The last cases."""
        rows: Sequence[asyncpg.Record] = await self._db.fetch(self._sql.latest)
        return rows

    async def report(self, case_id: str) -> Report | None:
        """The report on a case, or None when there is none."""
        loaded = await self._log.load(f"case:{case_id}")
        if not loaded.facts:
            return None
        facts = [(each, decode(each.type, each.type_version, each.body)) for each in loaded.facts]
        linked = True
        for each in loaded.facts:
            before = await self._log.at(Position(each.shard, each.seq - 1)) if each.seq > 1 else None
            linked = linked and each.prev == (before.link if before else ZERO_LINK)
        return Report(
            case_id=case_id,
            entries=timeline(loaded.facts),
            linked=linked,
            clocks=fold((fact, each.recorded_at) for each, fact in facts),
            at=loaded.at,
            draws=tuple(recompute([(fact, each.link) for each, fact in facts], self._keys)),
        )

"""Facts into the audit desk's one table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.projection import Projection, Row, Rows
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.tracking_codes import tracking_code
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.facts import CODEC
from schemas.facts.intake import CaseSubmitted

NAME: Final = "cases"
VERSION: Final = 1


@dataclass(slots=True)
class Case(Row):
    """The keys by which a case is found."""

    TABLE: ClassVar = "cases"
    KEY: ClassVar = ("stream",)
    APPEND_ONLY: ClassVar = True

    stream: str
    tracking_code: str
    request_type: str
    district: int
    submitted_at: datetime


def projection(keys: VaultKeys) -> EventProcessor:
    """The processor of the table that finds a case by its tracking code."""
    key = keys.get("tracking")

    def project(of: Rows, fact: Fact, recorded: RecordedFact) -> None:
        if isinstance(fact, CaseSubmitted):
            code = tracking_code(key, recorded.stream.removeprefix("case:"))
            of.put(Case(recorded.stream, code, fact.request_type, fact.district, recorded.recorded_at))

    return Projection(Case).processor(NAME, VERSION, project, codec=CODEC)

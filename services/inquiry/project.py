"""Facts into inquiry's rows: what a fact does to the rows of its stream, no rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, assert_never

from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.projection import Projection, Row, Rows
from schemas.envelope import RecordedFact
from schemas.envelope.folds import RowFold
from schemas.facts import CODEC, inquiry, intake, review

NAME: Final = "inquiries"
VERSION: Final = 2


@dataclass(slots=True)
class Case(Row):
    """What a question shows of its case."""

    TABLE: ClassVar = "cases"
    KEY: ClassVar = ("stream",)

    stream: str
    request_type: str
    district: int


@dataclass(slots=True)
class Inquiry(Row):
    """One question to an agency."""

    TABLE: ClassVar = "inquiries"
    KEY: ClassVar = ("stream", "inquiry_id")

    stream: str
    inquiry_id: str
    agency: str
    question: str
    blocking: bool
    request_type: str
    district: int
    version: int
    opened_at: datetime | None = None
    due_at: datetime | None = None
    overdue: bool = False
    state: str = "asked"
    answer: str | None = None
    answered_at: datetime | None = None


@dataclass(slots=True)
class Agency(Row):
    """An agency that takes part."""

    TABLE: ClassVar = "agencies"
    KEY: ClassVar = ("agency",)
    KIND: ClassVar = "agency"

    agency: str
    name_fa: str
    name_en: str


def projection() -> EventProcessor:
    """The processor of inquiry's rows."""
    return Projection(Inquiry, Case, Agency).processor(NAME, VERSION, project, codec=CODEC)


Answering = inquiry.InquiryOpened | inquiry.InquiryAnswered | inquiry.InquiryOverdue | review.InquiryWithdrawn
"""The facts that change a question."""
Projected = (
    Answering
    | intake.CaseSubmitted
    | intake.CaseWithdrawn
    | review.InquiryRequested
    | review.CaseApproved
    | review.CaseRejected
    | inquiry.AgencyRegistered
)
"""The facts that change inquiry's rows."""


@RowFold
def project(rows: Rows, fact: Projected, recorded: RecordedFact) -> None:
    """Apply `fact` to inquiry's rows."""
    match fact:
        case intake.CaseSubmitted():
            rows.put(Case(recorded.stream, fact.request_type, fact.district))
        case review.InquiryRequested():
            _asked(rows, fact, recorded)
        case inquiry.InquiryOpened() | inquiry.InquiryAnswered() | review.InquiryWithdrawn() | inquiry.InquiryOverdue():
            if (question := rows.get(Inquiry, fact.inquiry_id)) is not None:
                _moved(question, fact, recorded)
        case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
            for question in rows.all(Inquiry):
                if question.state in ("asked", "open"):
                    question.state, question.version = "ended", recorded.version
        case inquiry.AgencyRegistered():
            rows.put(Agency(fact.agency, fact.name_fa, fact.name_en))
        case _:
            assert_never(fact)


def _asked(rows: Rows, fact: review.InquiryRequested, recorded: RecordedFact) -> None:
    if (case := rows.get(Case)) is not None:
        question = Inquiry(
            stream=recorded.stream,
            inquiry_id=fact.inquiry_id,
            agency=fact.agency,
            question=fact.question,
            blocking=fact.blocking,
            request_type=case.request_type,
            district=case.district,
            version=recorded.version,
        )
        rows.put(question)


def _moved(question: Inquiry, fact: Answering, recorded: RecordedFact) -> None:
    question.version = recorded.version
    match fact:
        case inquiry.InquiryOpened():
            question.state, question.opened_at, question.due_at = "open", recorded.recorded_at, fact.deadline.due_at
        case inquiry.InquiryAnswered():
            question.state, question.answer, question.answered_at = "answered", fact.answer, recorded.recorded_at
        case review.InquiryWithdrawn():
            question.state = "withdrawn"
        case inquiry.InquiryOverdue():
            question.overdue = True

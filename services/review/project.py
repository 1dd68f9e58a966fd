"""Facts into review's rows: what a fact does to the rows of its stream, no rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, assert_never

from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.projection import Projection, Row, Rows
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.envelope.folds import RowFold
from schemas.facts import CODEC, inquiry, intake, review

NAME: Final = "cases"
VERSION: Final = 1


@dataclass(slots=True)
class Case(Row):
    """A case as review sees it; nothing here can hold a person."""

    TABLE: ClassVar = "cases"
    KEY: ClassVar = ("stream",)

    stream: str
    request_type: str
    district: int
    office: str | None
    submitted_at: datetime
    version: int
    confirmed: bool = False
    stage: str | None = None
    round: int = 0
    committed: bool = False
    drawn: str | None = None
    drawn_at: datetime | None = None
    due_at: datetime | None = None
    correction: bool = False
    inquiries: list[str] = field(default_factory=list)
    suspended: bool = False
    ended: str | None = None


@dataclass(slots=True)
class Reviewer(Row):
    """A reviewer who can be drawn."""

    TABLE: ClassVar = "reviewers"
    KEY: ClassVar = ("staff",)
    KIND: ClassVar = "staff"

    staff: str
    districts: list[int]
    stages: list[str]
    weight: int
    office: str | None
    active: bool = True


@dataclass(slots=True)
class Escalation(Row):
    """A passed deadline, for the supervisor."""

    TABLE: ClassVar = "escalations"
    KEY: ClassVar = ("stream", "version")
    APPEND_ONLY: ClassVar = True

    stream: str
    version: int
    kind: str
    due_at: datetime
    noted_at: datetime


def projection() -> EventProcessor:
    """The processor of review's rows."""
    return Projection(Case, Reviewer, Escalation).processor(NAME, VERSION, project, codec=CODEC)


Escalating = review.TargetPassed | review.CorrectionOverdue | intake.IdentityOverdue | inquiry.InquiryOverdue
"""The facts that a supervisor is notified of."""
Changing = (
    intake.IdentityConfirmed
    | intake.CorrectionAnswered
    | intake.CaseWithdrawn
    | review.TargetSet
    | review.DrawCommitted
    | review.DrawMade
    | review.AssignmentRefused
    | review.CorrectionRequested
    | review.InquiryRequested
    | review.InquiryWithdrawn
    | review.CaseSuspended
    | review.CaseResumed
    | review.CaseApproved
    | review.CaseRejected
    | inquiry.InquiryAnswered
)
"""The facts that change more of a case's row than its version."""
Projected = Escalating | Changing | intake.CaseSubmitted | review.ReviewerEnrolled | review.ReviewerRetired
"""The facts that change review's rows."""


def project(rows: Rows, fact: Fact, recorded: RecordedFact) -> None:
    """Apply `fact` to review's rows; every fact of a case moves its version."""
    change(rows, fact, recorded)
    if (case := rows.get(Case)) is not None:
        case.version = recorded.version


@RowFold
def change(rows: Rows, fact: Projected, recorded: RecordedFact) -> None:
    """What `fact` changes apart from the version."""
    match fact:
        case intake.CaseSubmitted():
            at, version = recorded.recorded_at, recorded.version
            rows.put(Case(recorded.stream, fact.request_type, fact.district, fact.office, at, version))
        case review.TargetPassed() | review.CorrectionOverdue() | intake.IdentityOverdue() | inquiry.InquiryOverdue():
            rows.put(Escalation(recorded.stream, recorded.version, recorded.type, fact.due_at, recorded.recorded_at))
        case review.ReviewerEnrolled():
            staff = recorded.stream.partition(":")[2]
            rows.put(Reviewer(staff, list(fact.districts), list(fact.stages), fact.weight, fact.office))
        case review.ReviewerRetired():
            if (reviewer := rows.get(Reviewer)) is not None:
                reviewer.active = False
        case _:
            if (case := rows.get(Case)) is not None:
                _case(case, fact, recorded)


def _case(case: Case, fact: Changing, recorded: RecordedFact) -> None:
    match fact:
        case intake.IdentityConfirmed():
            case.confirmed = True
        case review.TargetSet():
            case.due_at = fact.deadline.due_at
        case review.DrawCommitted():
            case.stage, case.round, case.committed, case.drawn, case.drawn_at = fact.stage, fact.round, True, None, None
        case review.DrawMade():
            case.drawn, case.drawn_at, case.committed = fact.drawn, recorded.recorded_at, False
        case review.AssignmentRefused():
            case.drawn, case.drawn_at = None, None
        case review.CorrectionRequested() | intake.CorrectionAnswered():
            case.correction = isinstance(fact, review.CorrectionRequested)
        case review.InquiryRequested():
            case.inquiries = [*case.inquiries, fact.inquiry_id]
        case review.InquiryWithdrawn() | inquiry.InquiryAnswered():
            case.inquiries = [each for each in case.inquiries if each != fact.inquiry_id]
        case review.CaseSuspended() | review.CaseResumed():
            case.suspended = isinstance(fact, review.CaseSuspended)
        case intake.CaseWithdrawn():
            _end(case, "withdrawn")
        case review.CaseApproved():
            _end(case, "approved")
        case review.CaseRejected():
            _end(case, "rejected")
        case _:
            assert_never(fact)


def _end(case: Case, how: str) -> None:
    case.ended, case.correction, case.inquiries, case.committed = how, False, [], False

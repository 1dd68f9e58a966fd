"""A case, or a member of staff, as review sees it: a fold over the facts of all writers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from schemas.catalogue import catalogue
from schemas.clocks import Clocks, Moving, run
from schemas.envelope.documents import Audience
from schemas.envelope.folds import StateFold
from schemas.facts import inquiry, intake, review


@dataclass(frozen=True, slots=True)
class State:
    """A case, or a member of staff, as review sees it; the defaults are the empty stream."""

    request_type: str = ""
    submitted_at: datetime | None = None
    district: int = 0
    office: str | None = None
    applicant: str = ""
    filed: dict[str, str] = field(default_factory=dict)
    """Document id -> kind, of the documents whose audience is the reviewer."""
    released: frozenset[str] = frozenset()
    confirmed: bool = False
    round: int = 0
    """The last committed round of the deciding stage."""
    pool: review.DrawCommitted | None = None
    drawn: str = ""
    """The alias of the reviewer whose case it is now; empty while none is."""
    refused_round: int = 0
    target: datetime | None = None
    target_passed: bool = False
    correction_round: int = 0
    correction_open: bool = False
    correction_due: datetime | None = None
    correction_overdue: bool = False
    inquiries: dict[str, bool] = field(default_factory=dict)
    """Open inquiry -> whether it blocks."""
    asked: frozenset[str] = frozenset()
    suspended: bool = False
    ended: bool = False
    enrolled: bool = False
    clocks: Clocks = field(default_factory=Clocks)

    @property
    def stage(self) -> str:
        """The stage whose drawn reviewer decides."""
        return catalogue().types[self.request_type].decided_in


Relevant = (
    Moving
    | intake.IdentityConfirmed
    | intake.DocumentReleased
    | review.TargetSet
    | review.TargetPassed
    | review.DrawCommitted
    | review.DrawMade
    | review.AssignmentRefused
    | review.CorrectionOverdue
    | review.InquiryRequested
    | review.ReviewerEnrolled
    | review.ReviewerRetired
)
"""The facts that review's decisions depend on: those that move a clock, and these."""


@StateFold
def evolve(state: State, fact: Relevant, at: datetime) -> State:
    """The state after `fact`, recorded at `at`."""
    state = replace(state, clocks=run(state.clocks, fact, at))
    match fact:
        case intake.CaseSubmitted():
            return replace(
                state,
                submitted_at=at,
                request_type=fact.request_type,
                district=fact.district,
                office=fact.office,
                applicant=fact.applicant,
                filed=_for_review(state, fact.documents),
            )
        case intake.IdentityConfirmed():
            return replace(state, confirmed=True)
        case intake.IdentityAnswered() | intake.CorrectionAnswered():
            answered = isinstance(fact, intake.CorrectionAnswered)
            open_still = state.correction_open and not answered
            return replace(state, correction_open=open_still, filed=_for_review(state, fact.documents))
        case intake.DocumentReleased():
            return replace(state, released=state.released | {fact.document_id})
        case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
            return replace(state, ended=True, correction_open=False, inquiries={})
        case review.TargetSet():
            return replace(state, target=fact.deadline.due_at)
        case review.TargetPassed():
            return replace(state, target_passed=True)
        case review.DrawCommitted():
            return replace(state, round=fact.round, pool=fact, drawn="")
        case review.DrawMade():
            return replace(state, drawn=fact.drawn)
        case review.AssignmentRefused():
            return replace(state, refused_round=fact.round, drawn="")
        case review.CorrectionRequested():
            due = fact.deadline.due_at
            return replace(state, correction_round=fact.round, correction_open=True, correction_due=due, correction_overdue=False)
        case review.CorrectionOverdue():
            return replace(state, correction_overdue=True)
        case review.InquiryRequested():
            opened = {**state.inquiries, fact.inquiry_id: fact.blocking}
            return replace(state, inquiries=opened, asked=state.asked | {fact.inquiry_id})
        case review.InquiryWithdrawn() | inquiry.InquiryAnswered():
            return replace(state, inquiries={each: b for each, b in state.inquiries.items() if each != fact.inquiry_id})
        case review.CaseSuspended():
            return replace(state, suspended=True)
        case review.CaseResumed():
            return replace(state, suspended=False)
        case review.ReviewerEnrolled():
            return replace(state, enrolled=True)
        case review.ReviewerRetired():
            return replace(state, enrolled=False)
        case intake.IdentityQuestioned() | inquiry.InquiryOpened():
            return state  # they move a clock and nothing else
        case _:
            assert_never(fact)


def _for_review(state: State, documents: tuple[object, ...]) -> dict[str, str]:
    seen = {d.document_id: d.kind for d in documents if getattr(d, "audience", None) is Audience.REVIEWER}  # type: ignore[attr-defined]
    return {**state.filed, **seen}

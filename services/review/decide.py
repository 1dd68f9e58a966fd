"""What review decides: pure. It never sees identity or contact; notes are sealed under the applicant's alias in this case."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, assert_never

from chassis.refusal import NotYet, Stale
from schemas.calendar import current
from schemas.catalogue import catalogue
from schemas.clocks import Clocks, Holder, run
from schemas.documents import Audience
from schemas.draws import CODE_VERSION, drawn, seed
from schemas.fact import Fact
from schemas.facts import AnyFact, inquiry, intake, notify, review
from schemas.sealing import Clear, DataClass
from services.review import commands as c
from services.review.refusals import (
    AlreadyEnrolled,
    CaseIsClosed,
    CaseIsNotSuspended,
    CaseIsSuspended,
    CorrectionIsOpen,
    DocumentsNotReleased,
    IdentityOpen,
    InquiryIsOpen,
    InvalidField,
    NobodyToDraw,
    NoSuchCase,
    NoSuchInquiry,
    NotEnrolled,
    NotYourCase,
    WitnessMissing,
)

CORRECTION_DAYS: Final = 10
"""Working days for a correction (domain.md, assumed)."""


@dataclass(frozen=True, slots=True)
class State:
    """A case, or a member of staff, as review sees it; the defaults are the empty stream."""

    request_type: str = ""
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


def evolve(state: State, fact: AnyFact, at: datetime) -> State:
    """The state after `fact`, which was recorded at `at`."""
    return replace(_evolve(state, fact), clocks=run(state.clocks, fact, at))


def _evolve(state: State, fact: AnyFact) -> State:
    match fact:
        case intake.CaseSubmitted():
            return replace(
                state,
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
            return replace(state, correction_round=fact.round, correction_open=True, correction_due=due)
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
        case intake.IdentityQuestioned() | intake.IdentityOverdue() | intake.PapersOpened() | intake.CertificateIssued():
            return state
        case intake.OfficeRegistered() | review.CorrectionOverdue() | review.MaterialOpened() | inquiry.InquiryOpened():
            return state
        case inquiry.InquiryOverdue() | inquiry.QuestionOpened() | inquiry.AgencyRegistered():
            return state
        case notify.MessageSent() | notify.MessageFailed():
            return state
        case _:
            assert_never(fact)


def _for_review(state: State, documents: tuple[object, ...]) -> dict[str, str]:
    seen = {d.document_id: d.kind for d in documents if getattr(d, "audience", None) is Audience.REVIEWER}  # type: ignore[attr-defined]
    return {**state.filed, **seen}


def decide(command: c.ReviewCommand, state: State, at: datetime) -> list[Fact]:
    """The facts that `command` makes. Raises a Refusal."""
    match command:
        case c.EnrolReviewer() | c.RetireReviewer():
            return _staff(command, state)
        case c.OpenMaterial():
            _exists(state)
            return [review.MaterialOpened(what=command.what, reason=_code("openings", command.reason, "reason"))]
        case c.SetTarget() | c.PassTarget() | c.EscalateCorrection():
            return _time(command, state, at)
        case c.CommitDraw() | c.MakeDraw() | c.RefuseAssignment():
            return _draw(command, state)
        case c.ResumeCase():
            _running(state)
            if not state.suspended:
                raise CaseIsNotSuspended
            return [review.CaseResumed(reason=_code("resumptions", command.reason, "reason"))]
        case c.RequestCorrection() | c.RequestInquiry() | c.WithdrawInquiry() | c.SuspendCase():
            _yours(state, command.reviewer)
            return _work(command, state, at)
        case c.ApproveCase() | c.RejectCase():
            _yours(state, command.reviewer)
            return _end(command, state)
        case _:
            assert_never(command)


def _time(command: c.SetTarget | c.PassTarget | c.EscalateCorrection, state: State, at: datetime) -> list[Fact]:
    if not state.request_type or state.ended:
        raise Stale
    match command:
        case c.SetTarget():
            if state.target is not None:
                raise Stale
            return [review.TargetSet(deadline=current().deadline(at, catalogue().types[state.request_type].target_days))]
        case c.PassTarget():
            if state.target is None or state.target_passed:
                raise Stale
            spent = state.clocks.at(at)
            # Only the city's clock counts against the target: what others held is added (domain.md, Time).
            due = state.target + spent[Holder.CITIZEN] + spent[Holder.AGENCY] + spent[Holder.SUSPENDED]
            if at < due:
                raise NotYet(due)
            return [review.TargetPassed(due_at=due)]
        case c.EscalateCorrection():
            if not state.correction_open or state.correction_round != command.round or state.correction_due is None:
                raise Stale
            return [review.CorrectionOverdue(round=command.round, due_at=state.correction_due)]


def _draw(command: c.CommitDraw | c.MakeDraw | c.RefuseAssignment, state: State) -> list[Fact]:
    if isinstance(command, c.RefuseAssignment):
        _yours(state, command.reviewer)
        reason = _code("refusals", command.reason, "reason")
        return [review.AssignmentRefused(stage=state.stage, round=state.round, reason=reason)]
    if not state.request_type or state.ended:
        raise Stale
    match command:
        case c.CommitDraw():
            if not state.confirmed or (state.round and state.refused_round != state.round):
                raise Stale
            if not command.pool or not command.witnesses:
                raise WitnessMissing if command.pool else NobodyToDraw
            return [
                review.DrawCommitted(
                    stage=state.stage,
                    round=state.round + 1,
                    pool=command.pool,
                    exclusions=command.exclusions,
                    code_version=CODE_VERSION,
                    witnesses=command.witnesses,
                )
            ]
        case c.MakeDraw():
            if state.pool is None or state.round != command.round or state.drawn or state.refused_round == state.round:
                raise Stale
            # Other witnesses than those named with the pool would let one draw again until the seed suits.
            if sorted(w.fingerprint for w in state.pool.witnesses) != sorted(s.fingerprint for s in command.signatures):
                raise WitnessMissing
            from_seed = seed(bytes.fromhex(command.commitment), command.signatures)
            return [
                review.DrawMade(
                    stage=state.stage,
                    round=state.round,
                    commitment=command.commitment,
                    signatures=command.signatures,
                    seed=from_seed.hex(),
                    drawn=drawn(state.pool.pool, from_seed),
                )
            ]


def _work(
    command: c.RequestCorrection | c.RequestInquiry | c.WithdrawInquiry | c.SuspendCase, state: State, at: datetime
) -> list[Fact]:
    match command:
        case c.RequestCorrection():
            if state.correction_open:
                raise CorrectionIsOpen
            reasons = _codes("corrections", command.reasons, "reasons")
            deadline = current().deadline(at, CORRECTION_DAYS)
            note = _note(state, command.note)
            return [review.CorrectionRequested(round=state.correction_round + 1, reasons=reasons, note=note, deadline=deadline)]
        case c.RequestInquiry():
            if not command.inquiry_id or command.inquiry_id in state.asked:
                raise InvalidField("inquiry_id")
            return [
                review.InquiryRequested(
                    inquiry_id=command.inquiry_id,
                    agency=_code("agencies", command.agency, "agency"),
                    question=_code("questions", command.question, "question"),
                    note=_note(state, command.note),
                    blocking=command.blocking,
                )
            ]
        case c.WithdrawInquiry():
            if command.inquiry_id not in state.inquiries:
                raise NoSuchInquiry
            reason = _code("inquiry_withdrawals", command.reason, "reason")
            return [review.InquiryWithdrawn(inquiry_id=command.inquiry_id, reason=reason)]
        case c.SuspendCase():
            if state.suspended:
                raise CaseIsSuspended
            return [review.CaseSuspended(reason=_code("suspensions", command.reason, "reason"))]


def _end(command: c.ApproveCase | c.RejectCase, state: State) -> list[Fact]:
    if state.suspended:
        raise CaseIsSuspended
    if state.correction_open:
        raise CorrectionIsOpen
    if any(state.inquiries.values()):
        raise InquiryIsOpen
    match command:
        case c.ApproveCase():
            if not state.confirmed:
                raise IdentityOpen
            required = {d.key for d in catalogue().types[state.request_type].documents if d.required}
            # Corrected papers count as well: else the reviewer could approve plans that they never saw.
            if any(kind in required and each not in state.released for each, kind in state.filed.items()):
                raise DocumentsNotReleased
            conditions = tuple(_code("conditions", each, "conditions") for each in command.conditions)
            outcome = catalogue().types[state.request_type].outcome.key
            note = _note(state, command.note)
            return [review.CaseApproved(stage=state.stage, outcome=outcome, conditions=conditions, note=note)]
        case c.RejectCase():
            reasons = _codes("rejections", command.reasons, "reasons")
            return [review.CaseRejected(stage=state.stage, reasons=reasons, note=_note(state, command.note))]


def _staff(command: c.EnrolReviewer | c.RetireReviewer, state: State) -> list[Fact]:
    match command:
        case c.EnrolReviewer():
            if state.enrolled:
                raise AlreadyEnrolled
            if not command.districts or not set(command.districts) <= {1, 2, 3, 4, 5}:
                raise InvalidField("districts")
            if not 1 <= command.weight <= 100:
                raise InvalidField("weight")
            return [
                review.ReviewerEnrolled(
                    districts=command.districts, stages=command.stages, weight=command.weight, office=command.office
                )
            ]
        case c.RetireReviewer():
            if not state.enrolled:
                raise NotEnrolled
            return [review.ReviewerRetired(reason=_code("retirements", command.reason, "reason"))]


def _exists(state: State) -> None:
    if not state.request_type:
        raise NoSuchCase


def _running(state: State) -> None:
    _exists(state)
    if state.ended:
        raise CaseIsClosed


def _yours(state: State, reviewer: str) -> None:
    _running(state)
    if not reviewer or state.drawn != reviewer:
        raise NotYourCase


def _code(group: str, key: str, name: str) -> str:
    if key not in catalogue().codes[group]:
        raise InvalidField(name)
    return key


def _codes(group: str, keys: tuple[str, ...], name: str) -> tuple[str, ...]:
    if not keys:
        raise InvalidField(name)
    return tuple(_code(group, key, name) for key in keys)


def _note(state: State, text: str) -> Clear | None:
    if len(text) > 2000:
        raise InvalidField("note")
    # Sealed under the alias: review cannot know the person, and must not be able to learn it by asking for a key.
    return Clear(DataClass.PROPERTY, state.applicant, {"text": text}) if text else None

"""Inquiry's decisions, pure. An inquiry lives inside the case's stream: requested, answered or withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, assert_never

from chassis.eventing.commands.decider import Decider
from chassis.refusal import NotDue, Stale
from schemas.catalogue import catalogue
from schemas.envelope.calendar import IRAN, WorkingTime
from schemas.envelope.fact import Fact
from schemas.envelope.folds import StateFold
from schemas.envelope.sealing import Clear, DataClass
from schemas.facts import CODEC, inquiry, intake, review
from services.inquiry import commands as c
from services.inquiry.refusals import AgencyExists, InquiryIsClosed, InvalidField, NoSuchInquiry

ANSWER_DAYS: Final = 5
"""Working days of an agency (domain.md, assumed)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One inquiry."""

    agency: str
    question: str
    blocking: bool
    due_at: datetime | None = None
    """None until it was opened."""
    open: bool = True
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A case, or an agency, as inquiry sees it; the defaults are the empty stream."""

    applicant: str = ""
    inquiries: dict[str, Asked] = field(default_factory=dict)
    ended: bool = False
    registered: bool = False


Relevant = (
    intake.CaseSubmitted
    | intake.CaseWithdrawn
    | review.InquiryRequested
    | review.InquiryWithdrawn
    | review.CaseApproved
    | review.CaseRejected
    | inquiry.InquiryOpened
    | inquiry.InquiryAnswered
    | inquiry.InquiryOverdue
    | inquiry.AgencyRegistered
)
"""The facts that inquiry's decisions depend on."""


@StateFold
def evolve(state: State, fact: Relevant, _at: datetime) -> State:
    """The state after `fact`."""
    match fact:
        case intake.CaseSubmitted():
            return replace(state, applicant=fact.applicant)
        case review.InquiryRequested():
            return _put(state, fact.inquiry_id, Asked(fact.agency, fact.question, fact.blocking))
        case inquiry.InquiryOpened():
            return _put(state, fact.inquiry_id, replace(state.inquiries[fact.inquiry_id], due_at=fact.deadline.due_at))
        case inquiry.InquiryAnswered() | review.InquiryWithdrawn():
            return _put(state, fact.inquiry_id, replace(state.inquiries[fact.inquiry_id], open=False))
        case inquiry.InquiryOverdue():
            return _put(state, fact.inquiry_id, replace(state.inquiries[fact.inquiry_id], overdue=True))
        case inquiry.AgencyRegistered():
            return replace(state, registered=True)
        case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
            return replace(state, ended=True)
        case _:
            assert_never(fact)


def _put(state: State, inquiry_id: str, asked: Asked) -> State:
    return replace(state, inquiries={**state.inquiries, inquiry_id: asked})


def decide(command: c.InquiryCommand, state: State, at: datetime, *, working_time: WorkingTime = IRAN) -> list[Fact]:
    """The facts that `command` causes; `working_time`: the calendar. Raises a Refusal."""
    match command:
        case c.RegisterAgency():
            if state.registered:
                raise AgencyExists
            if command.agency not in catalogue().codes["agencies"]:
                raise InvalidField("agency")
            return [inquiry.AgencyRegistered(agency=command.agency, name_fa=command.name_fa, name_en=command.name_en)]
        case c.OpenInquiry():
            return _open(command, state, at, working_time)
        case c.EscalateInquiry():
            asked = state.inquiries.get(command.inquiry_id)
            if state.ended or asked is None or not asked.open or asked.overdue or asked.due_at is None:
                raise Stale
            if at < asked.due_at:
                raise NotDue(asked.due_at)  # a timer of another clock must not declare a deadline passed
            return [inquiry.InquiryOverdue(inquiry_id=command.inquiry_id, due_at=asked.due_at)]
        case c.OpenQuestion():
            asked = _of_agency(state, command.inquiry_id, command.agency)
            if state.ended or not asked.open:
                raise InquiryIsClosed  # after the end nobody needs to see the plate
            if not command.what:
                raise InvalidField("what")
            return [inquiry.QuestionOpened(inquiry_id=command.inquiry_id, what=command.what, reason="agency_answer")]
        case c.AnswerInquiry():
            return _answer(command, state)
        case _:
            assert_never(command)


def _open(command: c.OpenInquiry, state: State, at: datetime, working_time: WorkingTime) -> list[Fact]:
    asked = state.inquiries.get(command.inquiry_id)
    if state.ended or asked is None or not asked.open or asked.due_at is not None:
        raise Stale
    return [
        inquiry.InquiryOpened(
            inquiry_id=command.inquiry_id,
            agency=asked.agency,
            question=asked.question,
            blocking=asked.blocking,
            deadline=working_time.deadline(at, ANSWER_DAYS),
        )
    ]


def _answer(command: c.AnswerInquiry, state: State) -> list[Fact]:
    asked = _of_agency(state, command.inquiry_id, command.agency)
    if state.ended or not asked.open or asked.due_at is None:
        raise InquiryIsClosed
    if command.answer not in catalogue().codes["answers"]:
        raise InvalidField("answer")
    if len(command.note) > 2000:
        raise InvalidField("note")
    # Under the alias, as review's notes are: an agency must not learn the person by asking for a key.
    note = Clear(DataClass.PROPERTY, state.applicant, {"text": command.note}) if command.note else None
    return [inquiry.InquiryAnswered(inquiry_id=command.inquiry_id, answer=command.answer, note=note, documents=command.stored)]


def _of_agency(state: State, inquiry_id: str, agency: str) -> Asked:
    asked = state.inquiries.get(inquiry_id)
    if asked is None or asked.agency != agency:
        raise NoSuchInquiry  # another agency's question is not even confirmed to exist
    return asked


DECIDER: Final = Decider[c.InquiryCommand, State](State(), evolve, decide, CODEC)
"""Inquiry's decider."""

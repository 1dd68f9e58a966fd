"""The drawn reviewer's own steps: corrections, inquiries, suspension, and the decision. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.catalogue import catalogue
from schemas.envelope.calendar import WorkingTime
from schemas.envelope.fact import Fact
from schemas.facts import review
from services.review import commands as c
from services.review.decide.checks import code, codes, note
from services.review.decide.state import State
from services.review.refusals import (
    CaseIsSuspended,
    CorrectionIsOpen,
    DocumentsNotReleased,
    IdentityOpen,
    InquiryIsOpen,
    InvalidField,
    NoSuchInquiry,
)

CORRECTION_DAYS: Final = 10
"""Working days for a correction (domain.md, assumed)."""


def work(
    command: c.RequestCorrection | c.RequestInquiry | c.WithdrawInquiry | c.SuspendCase,
    state: State,
    at: datetime,
    working_time: WorkingTime,
) -> list[Fact]:
    """The reviewer's requests to others. Raises the refusals of review."""
    match command:
        case c.RequestCorrection():
            if state.correction_open:
                raise CorrectionIsOpen
            reasons = codes("corrections", command.reasons, "reasons")
            deadline = working_time.deadline(at, CORRECTION_DAYS)
            asked = note(state, command.note)
            return [review.CorrectionRequested(round=state.correction_round + 1, reasons=reasons, note=asked, deadline=deadline)]
        case c.RequestInquiry():
            if not command.inquiry_id or command.inquiry_id in state.asked:
                raise InvalidField("inquiry_id")
            return [
                review.InquiryRequested(
                    inquiry_id=command.inquiry_id,
                    agency=code("agencies", command.agency, "agency"),
                    question=code("questions", command.question, "question"),
                    note=note(state, command.note),
                    blocking=command.blocking,
                )
            ]
        case c.WithdrawInquiry():
            if command.inquiry_id not in state.inquiries:
                raise NoSuchInquiry
            reason = code("inquiry_withdrawals", command.reason, "reason")
            return [review.InquiryWithdrawn(inquiry_id=command.inquiry_id, reason=reason)]
        case c.SuspendCase():
            if state.suspended:
                raise CaseIsSuspended
            return [review.CaseSuspended(reason=code("suspensions", command.reason, "reason"))]


def end(command: c.ApproveCase | c.RejectCase, state: State) -> list[Fact]:
    """The decision. Raises the refusals of review while anything is open."""
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
            conditions = tuple(code("conditions", each, "conditions") for each in command.conditions)
            outcome = catalogue().types[state.request_type].outcome.key
            words = note(state, command.note)
            return [review.CaseApproved(stage=state.stage, outcome=outcome, conditions=conditions, note=words)]
        case c.RejectCase():
            reasons = codes("rejections", command.reasons, "reasons")
            return [review.CaseRejected(stage=state.stage, reasons=reasons, note=note(state, command.note))]

"""The identity desk: papers confirmed, asked for and brought, and the copies that a reviewer may see. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chassis.refusal import NotDue, Stale
from schemas.envelope.calendar import WorkingTime
from schemas.envelope.documents import Audience
from schemas.envelope.fact import Fact
from schemas.envelope.sealing import Clear, DataClass
from schemas.facts import intake
from services.intake import commands as c
from services.intake.decide.checks import code, document, running, stored, text
from services.intake.decide.state import State
from services.intake.refusals import (
    AlreadyReleased,
    IdentityIsSettled,
    InvalidField,
    NotForReviewers,
    NothingAsked,
    UnknownDocument,
)

IDENTITY_DAYS: Final = 5
"""Working days for other papers (domain.md, assumed)."""

IdentityCommand = c.ConfirmIdentity | c.QuestionIdentity | c.AnswerIdentity | c.EscalateIdentity


def identity(command: IdentityCommand, state: State, at: datetime, working_time: WorkingTime) -> list[Fact]:
    """What the identity desk confirms, asks for and receives. Raises the refusals of intake; Stale and NotDue to the agenda."""
    if isinstance(command, c.EscalateIdentity):
        waits = state.identity_open and not state.identity_overdue
        if not waits or state.identity_round != command.round or state.identity_due is None:
            raise Stale
        if at < state.identity_due:
            raise NotDue(state.identity_due)  # a timer of another clock must not declare a deadline passed
        return [intake.IdentityOverdue(round=command.round, due_at=state.identity_due)]
    running(state)
    match command:
        case c.ConfirmIdentity():
            if state.confirmed or state.identity_open:
                raise IdentityIsSettled
            if not command.documents:
                raise InvalidField("documents")  # nothing was compared, so nothing was confirmed
            for each in command.documents:
                if document(state, each).audience is not Audience.IDENTITY_CLERK:
                    raise UnknownDocument("documents")
            return [intake.IdentityConfirmed(documents=command.documents)]
        case c.QuestionIdentity():
            if state.confirmed or state.identity_open:
                raise IdentityIsSettled
            if not command.reasons:
                raise InvalidField("reasons")
            for reason in command.reasons:
                code("identity_questions", reason, "reasons")
            note = Clear(DataClass.PROPERTY, command.person, {"text": text(command.note, "note")}) if command.note else None
            deadline = working_time.deadline(at, IDENTITY_DAYS)
            next_round = state.identity_round + 1
            return [intake.IdentityQuestioned(round=next_round, reasons=command.reasons, note=note, deadline=deadline)]
        case c.AnswerIdentity():
            if not state.identity_open:
                raise NothingAsked
            if not (command.note or command.documents or command.stored):
                raise InvalidField("documents")  # an empty answer would only stop the citizen's clock
            stored(command)
            note = Clear(DataClass.PROPERTY, command.person, {"text": text(command.note, "note")}) if command.note else None
            return [intake.IdentityAnswered(round=state.identity_round, note=note, documents=command.stored)]


def release(command: c.ReleaseDocument, state: State) -> list[Fact]:
    """The reviewer gets a copy. Raises NotForReviewers, AlreadyReleased, UnknownDocument."""
    running(state)
    original, copy = document(state, command.document_id), command.copy_of
    # An identity paper would tell the reviewer who the applicant is, and an original keeps its metadata.
    fits = copy.audience is original.audience is Audience.REVIEWER and copy.kind == original.kind
    if not fits or copy.document_id in state.documents:
        raise NotForReviewers("document_id")
    if command.document_id in state.released:
        raise AlreadyReleased
    return [intake.DocumentReleased(document_id=command.document_id, copy_of=command.copy_of)]

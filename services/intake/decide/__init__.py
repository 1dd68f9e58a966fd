"""Intake's decisions about a case, pure. Facts of all writers are folded, since all write to the case's one stream."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, assert_never

from chassis.eventing.commands.decider import Decider
from chassis.refusal import Stale
from schemas.catalogue import catalogue
from schemas.envelope.calendar import IRAN, WorkingTime
from schemas.envelope.fact import Fact
from schemas.envelope.sealing import Clear, DataClass
from schemas.facts import CODEC, intake
from services.intake import commands as c
from services.intake.decide.checks import code, exists, running, stored, text
from services.intake.decide.filing import submit
from services.intake.decide.identity import identity, release
from services.intake.decide.state import State, evolve
from services.intake.refusals import InvalidField, NoSuchOffice, NothingAsked, OfficeExists, UnknownDocument, WrongDistrict

__all__ = ["DECIDER", "State", "decide", "evolve"]


def decide(command: c.IntakeCommand, state: State, at: datetime, *, working_time: WorkingTime = IRAN) -> list[Fact]:
    """The facts that `command` causes; `working_time`: the calendar. Raises a Refusal."""
    match command:
        case c.SubmitCase():
            return submit(command, state, at, working_time)
        case c.RegisterOffice():
            return _register_office(command, state)
        case c.ChangeOffice():
            return [_change_office(command, state)]
        case c.OpenPapers():
            exists(state)
            code("openings", command.reason, "reason")
            if not command.what:
                raise InvalidField("what")  # an opening of nothing would be a line in the log that explains nothing
            return [intake.PapersOpened(what=command.what, reason=command.reason)]
        case c.OpenForApplicant():
            return [_open_for_applicant(command, state)]
        case c.ConfirmIdentity() | c.QuestionIdentity() | c.AnswerIdentity() | c.EscalateIdentity():
            return identity(command, state, at, working_time)
        case c.ReleaseDocument():
            return release(command, state)
        case c.AnswerCorrection():
            running(state)
            if not state.correction_open:
                raise NothingAsked
            stored(command)
            answer = Clear(DataClass.PROPERTY, command.person, {"text": text(command.answer, "answer")})
            return [intake.CorrectionAnswered(round=state.correction_round, answer=answer, documents=command.stored)]
        case c.WithdrawCase():
            running(state)
            return [intake.CaseWithdrawn(reason=code("withdrawals", command.reason, "reason"))]
        case c.IssueCertificate():
            return _issue(command, state)
        case _:
            assert_never(command)


def _open_for_applicant(command: c.OpenForApplicant, state: State) -> Fact:
    exists(state)
    match command.what:
        case "note":
            if not (state.identity_open or state.correction_open):
                raise NothingAsked  # an answered question need not be read again
            return intake.PapersOpened(what=("note",), reason="answer_for_applicant")
        case "certificate":
            if not state.certificate:
                raise UnknownDocument("certificate")
            return intake.PapersOpened(what=("certificate",), reason="certificate_for_applicant")


def _issue(command: c.IssueCertificate, state: State) -> list[Fact]:
    if state.ended != "approved" or state.certificate:
        raise Stale
    days = catalogue().types[state.request_type].outcome.valid_days
    return [
        intake.CertificateIssued(
            certificate_id=command.certificate_id,
            outcome=state.outcome,
            decided_at_position=command.decided_at_position,
            decided_link=command.decided_link,
            issued_on=command.issued_on,
            valid_until=command.issued_on + timedelta(days=days) if days else None,
            document=command.document,
        )
    ]


def _register_office(command: c.RegisterOffice, state: State) -> list[Fact]:
    if state.office_registered:
        raise OfficeExists
    if not 1 <= command.district <= 5:
        raise WrongDistrict("district")
    return [
        intake.OfficeRegistered(name_fa=command.name_fa, name_en=command.name_en, district=command.district, hours=command.hours)
    ]


def _change_office(command: c.ChangeOffice, state: State) -> Fact:
    if not state.office_registered:
        raise NoSuchOffice
    if not 1 <= command.district <= 5:
        raise WrongDistrict("district")
    return intake.OfficeChanged(name_fa=command.name_fa, name_en=command.name_en, district=command.district, hours=command.hours)


DECIDER: Final = Decider[c.IntakeCommand, State](State(), evolve, decide, CODEC)
"""Intake's decider."""

"""What intake decides about a case: pure. Facts of all writers are folded, since all write to the case's one stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from chassis.refusal import Stale
from schemas.calendar import current
from schemas.catalogue import RequestType, Stored, catalogue
from schemas.documents import Audience, DocumentRef
from schemas.fact import Fact
from schemas.facts import AnyFact, inquiry, intake, notify, review
from schemas.facts.intake import Channel
from schemas.identifiers import is_mobile, is_national_code
from schemas.sealing import Clear, DataClass
from services.intake import commands as c
from services.intake.refusals import (
    AlreadyReleased,
    CaseExists,
    CaseIsClosed,
    IdentityIsSettled,
    InvalidField,
    MissingDocument,
    NoSuchCase,
    NotForReviewers,
    NothingAsked,
    OfficeExists,
    UnknownDocument,
    UnknownRequestType,
    WrongDistrict,
    WrongEmail,
    WrongMobile,
    WrongNationalCode,
)

IDENTITY_DAYS: Final = 5
"""Working days for other papers (domain.md, assumed)."""
LONGEST_TEXT: Final = 500
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True, slots=True)
class State:
    """A case, or an office, as intake sees it; the defaults are the empty stream."""

    request_type: str = ""
    district: int = 0
    channel: Channel | None = None
    office: str | None = None
    applicant: str = ""
    documents: dict[str, DocumentRef] = field(default_factory=dict)
    released: frozenset[str] = frozenset()
    confirmed: bool = False
    identity_round: int = 0
    identity_open: bool = False
    identity_due: datetime | None = None
    correction_round: int = 0
    correction_open: bool = False
    correction_reasons: tuple[str, ...] = ()
    ended: str = ""
    """`withdrawn`, `approved` or `rejected`."""
    outcome: str = ""
    certificate: str = ""
    office_registered: bool = False


def evolve(state: State, fact: AnyFact, _at: datetime) -> State:
    """The state after `fact`."""
    match fact:
        case intake.CaseSubmitted():
            return replace(
                state,
                request_type=fact.request_type,
                district=fact.district,
                channel=fact.channel,
                office=fact.office,
                applicant=fact.applicant,
                documents={each.document_id: each for each in fact.documents},
            )
        case intake.IdentityConfirmed():
            return replace(state, confirmed=True, identity_open=False)
        case intake.IdentityQuestioned():
            return replace(state, identity_round=fact.round, identity_open=True, identity_due=fact.deadline.due_at)
        case intake.IdentityAnswered():
            return replace(state, identity_open=False, documents=_with(state, fact.documents))
        case intake.DocumentReleased():
            return replace(state, released=state.released | {fact.document_id})
        case intake.CorrectionAnswered():
            return replace(state, correction_open=False, documents=_with(state, fact.documents))
        case intake.CaseWithdrawn():
            return replace(state, ended="withdrawn", identity_open=False, correction_open=False)
        case intake.CertificateIssued():
            return replace(state, certificate=fact.certificate_id)
        case intake.OfficeRegistered():
            return replace(state, office_registered=True)
        case review.CorrectionRequested():
            return replace(state, correction_round=fact.round, correction_open=True, correction_reasons=fact.reasons)
        case review.CaseApproved():
            return replace(state, ended="approved", outcome=fact.outcome, identity_open=False, correction_open=False)
        case review.CaseRejected():
            return replace(state, ended="rejected", identity_open=False, correction_open=False)
        case intake.IdentityOverdue() | intake.PapersOpened() | notify.MessageSent() | notify.MessageFailed():
            return state
        case review.TargetSet() | review.TargetPassed() | review.DrawCommitted() | review.DrawMade() | review.AssignmentRefused():
            return state
        case review.CorrectionOverdue() | review.InquiryRequested() | review.InquiryWithdrawn() | review.MaterialOpened():
            return state
        case review.CaseSuspended() | review.CaseResumed() | review.ReviewerEnrolled() | review.ReviewerRetired():
            return state
        case inquiry.InquiryOpened() | inquiry.InquiryAnswered() | inquiry.InquiryOverdue() | inquiry.QuestionOpened():
            return state
        case inquiry.AgencyRegistered():
            return state
        case _:
            assert_never(fact)


def _with(state: State, documents: Sequence[DocumentRef]) -> dict[str, DocumentRef]:
    return {**state.documents, **{each.document_id: each for each in documents}}


def decide(command: c.IntakeCommand, state: State, at: datetime) -> list[Fact]:
    """The facts that `command` makes. Raises a Refusal."""
    match command:
        case c.SubmitCase():
            return _submit(command, state, at)
        case c.RegisterOffice():
            return _register_office(command, state)
        case c.OpenPapers():
            _exists(state)
            _code("openings", command.reason, "reason")
            return [intake.PapersOpened(what=command.what, reason=command.reason)]
        case c.ConfirmIdentity() | c.QuestionIdentity() | c.AnswerIdentity() | c.EscalateIdentity():
            return _identity(command, state, at)
        case c.ReleaseDocument():
            return _release(command, state)
        case c.AnswerCorrection():
            _running(state)
            if not state.correction_open:
                raise NothingAsked
            answer = Clear(DataClass.PROPERTY, command.person, {"text": _text(command.answer, "answer")})
            return [intake.CorrectionAnswered(round=state.correction_round, answer=answer, documents=command.stored)]
        case c.WithdrawCase():
            _running(state)
            return [intake.CaseWithdrawn(reason=_code("withdrawals", command.reason, "reason"))]
        case c.IssueCertificate():
            return _issue(command, state)
        case _:
            assert_never(command)


def _submit(command: c.SubmitCase, state: State, at: datetime) -> list[Fact]:
    if state.request_type:
        raise CaseExists
    kind = catalogue().types.get(command.request_type)
    if kind is None:
        raise UnknownRequestType("request_type")
    if not 1 <= command.district <= 5:
        raise WrongDistrict("district")
    if (command.office is None) is (command.channel is Channel.OFFICE):
        raise InvalidField("office")
    _person(command)
    _answers(command, kind)
    _papers(command, kind)
    return [
        intake.CaseSubmitted(
            request_type=command.request_type,
            catalogue_version=kind.version,
            channel=command.channel,
            office=command.office,
            out_of_hours=not current().is_working_time(at),
            district=command.district,
            applicant=command.applicant,
            identity=Clear(DataClass.IDENTITY, command.person, command.identity.model_dump()),
            contact=Clear(DataClass.CONTACT, command.person, command.contact.model_dump()),
            property=Clear(DataClass.PROPERTY, command.person, dict(command.property)),
            details=dict(command.details),
            documents=command.stored,
        )
    ]


def _person(command: c.SubmitCase) -> None:
    if not is_national_code(command.identity.national_code):
        raise WrongNationalCode("national_code")
    if not 3 <= len(command.identity.name) <= 120:
        raise InvalidField("name")
    if not is_mobile(command.contact.mobile):
        raise WrongMobile("mobile")
    if command.contact.email and (len(command.contact.email) > 200 or not _EMAIL.fullmatch(command.contact.email)):
        raise WrongEmail("email")


def _answers(command: c.SubmitCase, kind: RequestType) -> None:
    for stored, given in ((Stored.PROPERTY, command.property), (Stored.CODED, command.details)):
        fields = {each.key: each for each in kind.fields if each.stored is stored}
        for key in given:
            if key not in fields:
                raise InvalidField(key)
        for key, each in fields.items():
            value = given.get(key, "")
            if each.required and not value:
                raise InvalidField(key)
            if len(value) > LONGEST_TEXT:
                raise InvalidField(key)
            if value and each.kind == "number" and not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= 999):
                raise InvalidField(key)


def _papers(command: c.SubmitCase, kind: RequestType) -> None:
    known = {each.key for each in kind.documents}
    filed = [each.kind for each in command.documents]
    for each in filed:
        if each not in known:
            raise UnknownDocument(each)
    for paper in kind.documents:
        if paper.required and paper.key not in filed:
            raise MissingDocument(paper.key)


def _identity(
    command: c.ConfirmIdentity | c.QuestionIdentity | c.AnswerIdentity | c.EscalateIdentity, state: State, at: datetime
) -> list[Fact]:
    if isinstance(command, c.EscalateIdentity):
        if not state.identity_open or state.identity_round != command.round or state.identity_due is None:
            raise Stale
        return [intake.IdentityOverdue(round=command.round, due_at=state.identity_due)]
    _running(state)
    match command:
        case c.ConfirmIdentity():
            if state.confirmed or state.identity_open:
                raise IdentityIsSettled
            for document in command.documents:
                _document(state, document)
            return [intake.IdentityConfirmed(documents=command.documents)]
        case c.QuestionIdentity():
            if state.confirmed or state.identity_open:
                raise IdentityIsSettled
            if not command.reasons:
                raise InvalidField("reasons")
            for reason in command.reasons:
                _code("identity_questions", reason, "reasons")
            note = Clear(DataClass.PROPERTY, command.person, {"text": _text(command.note, "note")}) if command.note else None
            deadline = current().deadline(at, IDENTITY_DAYS)
            next_round = state.identity_round + 1
            return [intake.IdentityQuestioned(round=next_round, reasons=command.reasons, note=note, deadline=deadline)]
        case c.AnswerIdentity():
            if not state.identity_open:
                raise NothingAsked
            if not (command.note or command.documents or command.stored):
                raise InvalidField("documents")  # an empty answer would only stop the citizen's clock
            note = Clear(DataClass.PROPERTY, command.person, {"text": _text(command.note, "note")}) if command.note else None
            return [intake.IdentityAnswered(round=state.identity_round, note=note, documents=command.stored)]


def _release(command: c.ReleaseDocument, state: State) -> list[Fact]:
    _running(state)
    original, copy = _document(state, command.document_id), command.copy_of
    # An identity paper would tell the reviewer who the applicant is, and an original keeps its metadata.
    fits = copy.audience is original.audience is Audience.REVIEWER and copy.kind == original.kind
    if not fits or copy.document_id in state.documents:
        raise NotForReviewers("document_id")
    if command.document_id in state.released:
        raise AlreadyReleased
    return [intake.DocumentReleased(document_id=command.document_id, copy_of=command.copy_of)]


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


def _exists(state: State) -> None:
    if not state.request_type:
        raise NoSuchCase


def _running(state: State) -> None:
    _exists(state)
    if state.ended:
        raise CaseIsClosed


def _document(state: State, document_id: str) -> DocumentRef:
    if document_id not in state.documents:
        raise UnknownDocument("document_id")
    return state.documents[document_id]


def _code(group: str, key: str, name: str) -> str:
    if key not in catalogue().codes[group]:
        raise InvalidField(name)
    return key


def _text(text: str, name: str) -> str:
    if not 1 <= len(text) <= 2000:
        raise InvalidField(name)
    return text

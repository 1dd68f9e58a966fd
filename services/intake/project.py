"""Facts into intake's rows: what a fact does to the rows of its stream, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, assert_never

from chassis.accounts.one_time_codes import subject_of
from chassis.eventing.processors.processor import Batch, EventProcessor
from chassis.eventing.projections.projection import Project, Projection, Row, Rows
from chassis.privacy.vault import Vault
from schemas.envelope import RecordedFact
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.fact import Fact
from schemas.envelope.folds import RowFold
from schemas.facts import CODEC, intake, notify, review

NAME: Final = "cases"
VERSION: Final = 2


@dataclass(slots=True)
class Case(Row):
    """A case as the portal shows it. Holds no name, code or number of a person, only keyed hashes."""

    TABLE: ClassVar = "cases"
    KEY: ClassVar = ("stream",)

    stream: str
    tracking_code: str
    subject: str | None
    request_type: str
    district: int
    channel: str
    office: str | None
    out_of_hours: bool
    submitted_at: datetime
    unreleased: list[str]
    changed_at: datetime
    version: int
    identity: str = "waiting"
    correction: bool = False
    suspended: bool = False
    drawn: bool = False
    ended: str | None = None
    certificate_id: str | None = None


@dataclass(slots=True)
class Notice(Row):
    """Who was told what, by which channel, and whether it failed."""

    TABLE: ClassVar = "notices"
    KEY: ClassVar = ("stream", "version")
    APPEND_ONLY: ClassVar = True

    stream: str
    version: int
    about: str
    template: str
    recipient: str
    channel: str
    failed: str | None
    office: str | None
    """The office of the case when the office itself was told: a row of its list must be found without the case."""
    sent_at: datetime


Telling = notify.MessageSent | notify.MessageFailed
"""The facts that cause a notice."""
Changing = (
    intake.IdentityConfirmed
    | intake.IdentityQuestioned
    | intake.IdentityAnswered
    | intake.DocumentReleased
    | intake.CorrectionAnswered
    | intake.CaseWithdrawn
    | intake.CertificateIssued
    | review.DrawMade
    | review.AssignmentRefused
    | review.CorrectionRequested
    | review.CaseSuspended
    | review.CaseResumed
    | review.CaseApproved
    | review.CaseRejected
)
"""The facts that change more of a case's row than its version; `intake.CaseSubmitted` creates it."""


def projection(vault: Vault) -> EventProcessor:
    """The processor of intake's rows; the vault computes the blind index of the applicant."""

    async def prepare(run: Batch) -> Project:
        subjects = await _subjects(vault, run)

        def project(of: Rows, fact: Fact, recorded: RecordedFact) -> None:
            if isinstance(fact, intake.CaseSubmitted):
                of.put(_submitted(fact, recorded, vault, subjects))
            elif (case := of.get(Case)) is not None:
                change(of, fact, recorded)
                case.version, case.changed_at = recorded.version, recorded.recorded_at

        return project

    return Projection(Case, Notice).prepared_processor(NAME, VERSION, prepare, codec=CODEC)


async def _subjects(vault: Vault, run: Batch) -> Mapping[str, str]:
    """Stream -> blind index of the applicant, for the cases that are filed in this run.

    An applicant who was erased has none: a rebuild after an erasure must not fail, and must not find the person.
    """
    filed = [(recorded, "identity", fact.identity) for fact, recorded in run if isinstance(fact, intake.CaseSubmitted)]
    found = await vault.open_all(filed) if filed else []
    return {
        recorded.stream: subject_of(vault.blind("national_code", identity["national_code"]))
        for (recorded, _, _), identity in zip(filed, found, strict=True)
        if identity is not None
    }


def _submitted(fact: intake.CaseSubmitted, recorded: RecordedFact, vault: Vault, subjects: Mapping[str, str]) -> Case:
    return Case(
        stream=recorded.stream,
        tracking_code=vault.tracking_code(recorded.stream.removeprefix("case:")),
        subject=subjects.get(recorded.stream),
        request_type=fact.request_type,
        district=fact.district,
        channel=fact.channel.value,
        office=fact.office,
        out_of_hours=fact.out_of_hours,
        submitted_at=recorded.recorded_at,
        unreleased=for_reviewer(fact.documents),
        changed_at=recorded.recorded_at,
        version=recorded.version,
    )


@RowFold
def change(rows: Rows, fact: Telling | Changing, recorded: RecordedFact) -> None:
    """What `fact` changes of an existing case, apart from its version."""
    if (case := rows.get(Case)) is None:
        return
    match fact:
        case notify.MessageSent() | notify.MessageFailed():  # first, since four of ten facts are
            rows.put(_told(case, fact, recorded))
        case _:
            _case(case, fact)


def _case(case: Case, fact: Changing) -> None:
    match fact:
        case intake.IdentityConfirmed():
            case.identity = "confirmed"
        case intake.IdentityQuestioned():
            case.identity = "questioned"
        case intake.IdentityAnswered():
            case.identity = "waiting"
            case.unreleased = [*case.unreleased, *for_reviewer(fact.documents)]
        case intake.CorrectionAnswered():
            case.correction = False
            case.unreleased = [*case.unreleased, *for_reviewer(fact.documents)]
        case intake.DocumentReleased():
            case.unreleased = [each for each in case.unreleased if each != fact.document_id]
        case review.CorrectionRequested():
            case.correction = True
        case review.CaseSuspended() | review.CaseResumed():
            case.suspended = isinstance(fact, review.CaseSuspended)
        case review.DrawMade() | review.AssignmentRefused():
            case.drawn = isinstance(fact, review.DrawMade)
        case intake.CaseWithdrawn():
            _end(case, "withdrawn")
        case review.CaseApproved():
            _end(case, "approved")
        case review.CaseRejected():
            _end(case, "rejected")
        case intake.CertificateIssued():
            case.certificate_id = fact.certificate_id
        case _:
            assert_never(fact)


def _told(case: Case, fact: Telling, recorded: RecordedFact) -> Notice:
    return Notice(
        stream=recorded.stream,
        version=recorded.version,
        about=fact.about,
        template=fact.template,
        recipient=fact.recipient,
        channel=fact.channel,
        failed=fact.reason if isinstance(fact, notify.MessageFailed) else None,
        office=case.office if fact.recipient == "office" else None,
        sent_at=recorded.recorded_at,
    )


def _end(case: Case, how: str) -> None:
    case.ended, case.correction, case.unreleased = how, False, []


def for_reviewer(documents: tuple[DocumentRef, ...]) -> list[str]:
    """The ids of the documents whose copies the reviewer needs."""
    return [each.document_id for each in documents if each.audience is Audience.REVIEWER]

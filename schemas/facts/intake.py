"""The facts that intake writes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from schemas.envelope.deadline import Deadline
from schemas.envelope.documents import DocumentRef
from schemas.envelope.fact import Fact, StreamKind, Value, Writer
from schemas.envelope.sealing import Sealable


class Channel(StrEnum):
    """How a request came in (domain.md K2)."""

    PORTAL = "portal"
    OFFICE = "office"


class IntakeFact(Fact):
    WRITER: ClassVar[Writer] = Writer.INTAKE


class CaseSubmitted(IntakeFact):
    """A citizen, or a counter office on the citizen's behalf, filed a request: the case begins."""

    TYPE: ClassVar[str] = "case.submitted"
    VERSION: ClassVar[int] = 2

    request_type: str
    """A key of the catalogue, for example `building_permit`."""
    catalogue_version: int
    channel: Channel
    office: str | None = None
    """The office id when the channel is office; the case then concerns that office."""
    out_of_hours: bool
    """Filed outside the municipality's working hours, Asia/Tehran (domain.md K3)."""
    district: int
    """1 to 5 (domain.md K4)."""
    applicant: str
    """The applicant's alias in this case."""
    identity: Sealable
    contact: Sealable
    property: Sealable
    """Registry plate, renewal code, address and every free text of the form."""
    details: dict[str, str] = Field(default_factory=dict)
    """Coded and numeric answers of the form only; free text is sealed with the property."""
    documents: tuple[DocumentRef, ...] = ()
    consent: str | None = None
    """The key of the words to which the applicant, present at the counter, consented (intake's locale, `consent.<key>`).

    None when the citizen filed in the portal, and in version 1, when nobody was asked.
    """


class IdentityConfirmed(IntakeFact):
    """The identity clerk found that the papers belong to the applicant and the property."""

    TYPE: ClassVar[str] = "identity.confirmed"
    VERSION: ClassVar[int] = 1

    documents: tuple[str, ...] = ()
    """Ids of the papers compared."""


class IdentityQuestioned(IntakeFact):
    """The identity clerk needs other papers; the citizen's clock begins."""

    TYPE: ClassVar[str] = "identity.questioned"
    VERSION: ClassVar[int] = 1

    round: int
    reasons: tuple[str, ...]
    """Coded reasons of the catalogue."""
    note: Sealable | None = None
    deadline: Deadline


class IdentityAnswered(IntakeFact):
    """The citizen brought the papers that the identity clerk asked for."""

    TYPE: ClassVar[str] = "identity.answered"
    VERSION: ClassVar[int] = 1

    round: int
    note: Sealable | None = None
    documents: tuple[DocumentRef, ...] = ()


class IdentityOverdue(IntakeFact):
    """The deadline for other papers passed; a supervisor is told. Nothing is decided by silence."""

    TYPE: ClassVar[str] = "identity.overdue"
    VERSION: ClassVar[int] = 1

    round: int
    due_at: datetime


class DocumentReleased(IntakeFact):
    """The identity clerk released a reviewer's copy, without metadata, of one document."""

    TYPE: ClassVar[str] = "document.released"
    VERSION: ClassVar[int] = 1

    document_id: str
    """The document that was filed."""
    copy_of: DocumentRef
    """The copy: its own id, digest and key."""


class CorrectionAnswered(IntakeFact):
    """The citizen answered a correction that the reviewer had asked for."""

    TYPE: ClassVar[str] = "correction.answered"
    VERSION: ClassVar[int] = 1

    round: int
    answer: Sealable
    documents: tuple[DocumentRef, ...] = ()


class CaseWithdrawn(IntakeFact):
    """The applicant withdrew the request; the case ends."""

    TYPE: ClassVar[str] = "case.withdrawn"
    VERSION: ClassVar[int] = 1

    reason: str
    """A coded reason of the catalogue."""


class PapersOpened(IntakeFact):
    """A member of intake's staff opened sealed data or papers; openings by staff are facts (design.md section 6)."""

    TYPE: ClassVar[str] = "papers.opened"
    VERSION: ClassVar[int] = 1
    RECORD: ClassVar[bool] = True

    what: tuple[str, ...]
    """Document ids, or names of sealed fields."""
    reason: str


class CertificateIssued(IntakeFact):
    """The certificate of a decided case was made; anyone can check it against the log."""

    TYPE: ClassVar[str] = "certificate.issued"
    VERSION: ClassVar[int] = 1

    certificate_id: str
    """Short, unguessable, on the certificate and in its QR code."""
    outcome: str
    """A key of the catalogue's outcomes."""
    decided_at_position: str
    """shard:seq of the approving fact."""
    decided_link: str
    """The link hash of the approving fact, hex."""
    issued_on: datetime
    valid_until: datetime | None = None
    document: DocumentRef


class OfficeHours(Value):
    """Opening hours of an office on one weekday; minutes since midnight, Asia/Tehran."""

    weekday: int
    """0 is Saturday, the first day of Iran's week."""
    opens: int
    closes: int


class OfficeRegistered(IntakeFact):
    """A counter office may file for citizens."""

    TYPE: ClassVar[str] = "office.registered"
    VERSION: ClassVar[int] = 1
    KIND: ClassVar[StreamKind] = StreamKind.OFFICE

    name_fa: str
    name_en: str
    district: int
    hours: tuple[OfficeHours, ...] = ()


class OfficeChanged(IntakeFact):
    """The registration of a counter office, as it stands from now on: whole, so that nothing has to be put together."""

    TYPE: ClassVar[str] = "office.changed"
    VERSION: ClassVar[int] = 1
    KIND: ClassVar[StreamKind] = StreamKind.OFFICE

    name_fa: str
    name_en: str
    district: int
    hours: tuple[OfficeHours, ...] = ()

"""The commands of intake, from people and the agenda. Text is normalised here, so that equal requests have equal hashes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from chassis.eventing.commands.handler import Command
from schemas.envelope.documents import DocumentRef
from schemas.envelope.identifiers import normalised
from schemas.facts.intake import Channel, OfficeHours

Text = Annotated[str, AfterValidator(normalised)]
"""What a person wrote: Arabic letters and all digits in their stored form (domain.md, Identifiers and text)."""
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hex."""


class Part(BaseModel):
    """A frozen, closed part of a command; its errors never repeat what was entered."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FiledDocument(Part):
    """A document as it was handed in; `content_digest` tells two requests with different papers apart."""

    kind: str
    content_digest: Hex
    size: int = Field(ge=1)
    """Bytes."""
    media_type: str


class Identity(Part):
    """Who asks."""

    national_code: Text
    name: Text


class Contact(Part):
    """Where the applicant can be told; `email` is empty when there is none."""

    mobile: Text
    email: Text = ""


class SubmitCase(Command):
    """File a request; the case's stream begins."""

    ROUTE: ClassVar[str] = "/new"
    BEGINS: ClassVar[bool] = True

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"stored"})

    request_type: str
    channel: Channel
    office: str | None = None
    district: int
    applicant: str
    """The applicant's alias in this case."""
    person: str
    """The vault's id of the person; a key of this case and person seals."""
    identity: Identity
    contact: Contact
    property: dict[str, Text]
    """Catalogue key -> answer, of the fields that are sealed with the property."""
    details: dict[str, Text] = Field(default_factory=dict)
    """Catalogue key -> answer, of the coded and numeric fields."""
    documents: tuple[FiledDocument, ...] = ()
    consent: str | None = None
    """The key of the words to which the applicant consented, where an office files."""
    stored: tuple[DocumentRef, ...] = ()
    """The sealed blobs of `documents`, in the same order; random ids, so they do not tell requests apart."""


class ConfirmIdentity(Command):
    """The identity clerk found that the papers belong to the applicant and the property."""

    ROUTE: ClassVar[str] = "/identity/confirm"

    documents: tuple[str, ...]
    """Ids of the papers compared."""


class QuestionIdentity(Command):
    """The identity clerk needs other papers."""

    ROUTE: ClassVar[str] = "/identity/question"

    reasons: tuple[str, ...]
    """Codes of the catalogue's group `identity_questions`."""
    note: Text | None = None
    person: str


class AnswerIdentity(Command):
    """The citizen brings the papers that the clerk asked for."""

    ROUTE: ClassVar[str] = "/answer"

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"stored"})

    note: Text | None = None
    person: str
    documents: tuple[FiledDocument, ...] = ()
    stored: tuple[DocumentRef, ...] = ()


class EscalateIdentity(Command):
    """Timer: the deadline for other papers passed."""

    round: int


class ReleaseDocument(Command):
    """The identity clerk gives the reviewer a copy without metadata."""

    ROUTE: ClassVar[str] = "/identity/release"

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"copy_of"})

    document_id: str
    copy_of: DocumentRef
    """The copy; named as in the fact, since pydantic models have a method `copy`."""

    def within(self) -> str:
        """One confirmation releases several."""
        return self.document_id


class AnswerCorrection(Command):
    """The citizen answers the open correction."""

    ROUTE: ClassVar[str] = "/answer"

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"stored"})

    answer: Text
    person: str
    documents: tuple[FiledDocument, ...] = ()
    stored: tuple[DocumentRef, ...] = ()


class WithdrawCase(Command):
    """The applicant takes the request back."""

    ROUTE: ClassVar[str] = "/withdraw"

    reason: str
    """A code of the catalogue's group `withdrawals`."""


class OpenPapers(Command):
    """A member of intake's staff opens sealed data or papers."""

    what: tuple[str, ...]
    """Document ids, or names of sealed fields of a fact."""
    reason: str
    """A code of the catalogue's group `openings`."""

    def route(self) -> str:
        """A paper is opened by a link of its own."""
        return "/identity/document" if self.within() else "/identity/open"

    def within(self) -> str:
        """The document, when it is one; empty for the sealed fields, which are opened together."""
        return self.what[0] if len(self.what) == 1 else ""


class OpenForApplicant(Command):
    """An operator of the office that filed opens, for the applicant who stands before them, what is the applicant's alone."""

    what: Literal["note", "certificate"]
    """The note of the open question, or the certificate."""

    def route(self) -> str:
        """Each of the two is opened by a form of its own."""
        return f"/open/{self.what}"


class IssueCertificate(Command):
    """Reaction to an approval: the certificate was made."""

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"certificate_id", "document", "issued_on"})

    certificate_id: str = Field(min_length=8)
    """Short, unguessable."""
    decided_at_position: str = Field(pattern=r"^[0-9]+:[0-9]+$")
    """shard:seq of `case.approved`."""
    decided_link: Hex
    issued_on: AwareDatetime
    """The moment that is printed on the document."""
    document: DocumentRef


class OfficeRegistration(Command):
    """What is registered of a counter office."""

    ROUTE: ClassVar[str] = "/enrolment"

    name_fa: Text = Field(min_length=1)
    name_en: Text = Field(min_length=1)
    district: int
    hours: tuple[OfficeHours, ...] = ()


class RegisterOffice(OfficeRegistration):
    """A counter office may file from now on; sent to the stream of that office."""


class ChangeOffice(OfficeRegistration):
    """The registration of a counter office is otherwise from now on; sent to the stream of that office."""


IntakeCommand = (
    SubmitCase
    | ConfirmIdentity
    | QuestionIdentity
    | AnswerIdentity
    | EscalateIdentity
    | ReleaseDocument
    | AnswerCorrection
    | WithdrawCase
    | OpenPapers
    | OpenForApplicant
    | IssueCertificate
    | RegisterOffice
    | ChangeOffice
)
"""Every command of intake."""

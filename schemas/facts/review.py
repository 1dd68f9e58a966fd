"""The facts that review writes."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from schemas.envelope.deadline import Deadline
from schemas.envelope.fact import Fact, StreamKind, Value, Writer
from schemas.envelope.sealing import Sealable


class ReviewFact(Fact):
    WRITER: ClassVar[Writer] = Writer.REVIEW


class TargetSet(ReviewFact):
    """The city's target for the case; only the city's clock counts against it (domain.md, Time)."""

    TYPE: ClassVar[str] = "target.set"
    VERSION: ClassVar[int] = 1

    deadline: Deadline


class TargetPassed(ReviewFact):
    """The city used up its target; a supervisor is told. Nothing is approved by silence."""

    TYPE: ClassVar[str] = "target.passed"
    VERSION: ClassVar[int] = 1

    due_at: datetime


class Candidate(Value):
    """One reviewer in a draw, by an alias of this draw only."""

    alias: str
    weight: int
    """A positive integer; the odds are weight / sum of weights."""


class Exclusion(Value):
    """One reviewer who was left out of the pool, and the coded reason."""

    alias: str
    reason: str


class WitnessKey(Value):
    """A witness that must sign a draw."""

    name: str
    fingerprint: str
    """SHA-256 of the DER SubjectPublicKeyInfo, hex."""


class DrawCommitted(ReviewFact):
    """The pool of a draw was fixed before its seed could be known (design.md section 6)."""

    TYPE: ClassVar[str] = "draw.committed"
    VERSION: ClassVar[int] = 1

    stage: str
    round: int
    pool: tuple[Candidate, ...]
    exclusions: tuple[Exclusion, ...] = ()
    code_version: int
    """The version of the drawing algorithm."""
    witnesses: tuple[WitnessKey, ...]


class WitnessSignature(Value):
    """RSASSA-PKCS1-v1_5 with SHA-256 over the link hash of `draw.committed`."""

    name: str
    fingerprint: str
    signature: str
    """base64url without padding."""


class DrawMade(ReviewFact):
    """A reviewer was drawn; anyone with the log and the witness keys can recompute it."""

    TYPE: ClassVar[str] = "draw.made"
    VERSION: ClassVar[int] = 1

    stage: str
    round: int
    commitment: str
    """The link hash of `draw.committed`, hex."""
    signatures: tuple[WitnessSignature, ...]
    seed: str
    """SHA-256(domain, commitment, signatures), hex."""
    drawn: str
    """The alias of the drawn candidate."""


class AssignmentRefused(ReviewFact):
    """The drawn reviewer has a conflict or cannot take the case; it allows the next round of the draw."""

    TYPE: ClassVar[str] = "assignment.refused"
    VERSION: ClassVar[int] = 1

    stage: str
    round: int
    reason: str


class CorrectionRequested(ReviewFact):
    """The reviewer asked the citizen for a correction; the citizen's clock begins."""

    TYPE: ClassVar[str] = "correction.requested"
    VERSION: ClassVar[int] = 1

    round: int
    reasons: tuple[str, ...]
    note: Sealable | None = None
    deadline: Deadline


class CorrectionOverdue(ReviewFact):
    """The citizen's time for a correction passed; a supervisor is told."""

    TYPE: ClassVar[str] = "correction.overdue"
    VERSION: ClassVar[int] = 1

    round: int
    due_at: datetime


class InquiryRequested(ReviewFact):
    """The reviewer wants an agency asked; inquiry opens it and owns its deadline."""

    TYPE: ClassVar[str] = "inquiry.requested"
    VERSION: ClassVar[int] = 1

    inquiry_id: str
    """Unique in the case's stream."""
    agency: str
    """A key of the catalogue's agencies, for example `fire`."""
    question: str
    """A coded question of the catalogue."""
    note: Sealable | None = None
    """What the agency needs of the property, opened by inquiry."""
    blocking: bool = True


class InquiryWithdrawn(ReviewFact):
    """The reviewer no longer needs the answer; the inquiry ends."""

    TYPE: ClassVar[str] = "inquiry.withdrawn"
    VERSION: ClassVar[int] = 1

    inquiry_id: str
    reason: str


class CaseSuspended(ReviewFact):
    """The case was sent to the Article 100 commission; nobody's clock runs (domain.md)."""

    TYPE: ClassVar[str] = "case.suspended"
    VERSION: ClassVar[int] = 1

    reason: str


class CaseResumed(ReviewFact):
    """The commission decided that the case goes on."""

    TYPE: ClassVar[str] = "case.resumed"
    VERSION: ClassVar[int] = 1

    reason: str


class CaseApproved(ReviewFact):
    """The drawn reviewer approved the request."""

    TYPE: ClassVar[str] = "case.approved"
    VERSION: ClassVar[int] = 1

    stage: str
    outcome: str
    """A key of the catalogue's outcomes."""
    conditions: tuple[str, ...] = ()
    note: Sealable | None = None


class CaseRejected(ReviewFact):
    """The drawn reviewer rejected the request with coded reasons."""

    TYPE: ClassVar[str] = "case.rejected"
    VERSION: ClassVar[int] = 1

    stage: str
    reasons: tuple[str, ...]
    note: Sealable | None = None


class MaterialOpened(ReviewFact):
    """A reviewer or supervisor opened a case's material."""

    TYPE: ClassVar[str] = "material.opened"
    VERSION: ClassVar[int] = 1
    RECORD: ClassVar[bool] = True

    what: tuple[str, ...]
    reason: str


class ReviewerEnrolled(ReviewFact):
    """A member of staff may be drawn as a reviewer."""

    TYPE: ClassVar[str] = "reviewer.enrolled"
    VERSION: ClassVar[int] = 1
    KIND: ClassVar[StreamKind] = StreamKind.STAFF

    districts: tuple[int, ...]
    stages: tuple[str, ...]
    weight: int = 1
    office: str | None = None
    """An office with which this reviewer has a tie; its cases exclude them (domain.md, roles)."""


class ReviewerRetired(ReviewFact):
    """A member of staff is drawn no longer."""

    TYPE: ClassVar[str] = "reviewer.retired"
    VERSION: ClassVar[int] = 1
    KIND: ClassVar[StreamKind] = StreamKind.STAFF

    reason: str

"""The commands of review, from reviewers, supervisors and the agenda. `reviewer` is the alias of the current draw."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from chassis.eventing.commands.handler import Command
from schemas.envelope.identifiers import normalised
from schemas.facts.review import Candidate, Exclusion, WitnessKey, WitnessSignature

Text = Annotated[str, AfterValidator(normalised)]


class SetTarget(Command):
    """Reaction to a filed case."""


class PassTarget(Command):
    """Timer: the city's target may have passed."""


class CommitDraw(Command):
    """Reaction to confirmed identity, or to a refused assignment: fix the pool of the next round."""

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"pool", "exclusions", "witnesses"})
    """The pool may change between two tries of the same task; after a lost reply the retry must still find its own commitment."""

    pool: tuple[Candidate, ...]
    exclusions: tuple[Exclusion, ...]
    witnesses: tuple[WitnessKey, ...]


class MakeDraw(Command):
    """Reaction to a commitment: all witnesses signed."""

    round: int
    commitment: str
    signatures: tuple[WitnessSignature, ...]


class RefuseAssignment(Command):
    """The drawn reviewer has a conflict or cannot take the case."""

    reviewer: str
    reason: str


class TakeBack(Command):
    """Reaction to a reviewer who left, or who was drawn after leaving: the case is drawn again."""

    round: int


class RequestCorrection(Command):
    """Ask the citizen for a correction."""

    reviewer: str
    reasons: tuple[str, ...]
    note: Text = ""


class EscalateCorrection(Command):
    """Timer: the citizen's time passed."""

    round: int


class RequestInquiry(Command):
    """Ask an agency."""

    reviewer: str
    inquiry_id: str
    agency: str
    question: str
    note: Text = ""
    blocking: bool = True


class WithdrawInquiry(Command):
    """The answer is no longer needed."""

    reviewer: str
    inquiry_id: str
    reason: str


class SuspendCase(Command):
    """Send the case to the Article 100 commission."""

    reviewer: str
    reason: str


class ResumeCase(Command):
    """The commission resumed the case; a supervisor records it."""

    ROUTE: ClassVar[str] = "/resume"

    reason: str


class ApproveCase(Command):
    """Approve the request."""

    reviewer: str
    conditions: tuple[str, ...] = ()
    note: Text = ""


class RejectCase(Command):
    """Reject the request with coded reasons."""

    reviewer: str
    reasons: tuple[str, ...]
    note: Text = ""


class OpenMaterial(Command):
    """A reviewer or supervisor opens a case's material."""

    what: tuple[str, ...]
    reason: str

    def route(self) -> str:
        """A paper is opened by a link of its own."""
        return "/document" if self.within() else "/open"

    def within(self) -> str:
        """The document, when it is one; empty for the case's material, which is opened as a whole."""
        return self.what[0] if self.what and self.what[0] != "documents" else ""


class EnrolReviewer(Command):
    """A member of staff may be drawn; sent to the stream of that member."""

    ROUTE: ClassVar[str] = "/enrolment"

    districts: tuple[int, ...]
    stages: tuple[str, ...]
    weight: int = 1
    office: str | None = None


class RetireReviewer(Command):
    """A member of staff is drawn no longer."""

    ROUTE: ClassVar[str] = "/enrolment"

    reason: str


ReviewCommand = (
    SetTarget
    | PassTarget
    | CommitDraw
    | MakeDraw
    | RefuseAssignment
    | TakeBack
    | RequestCorrection
    | EscalateCorrection
    | RequestInquiry
    | WithdrawInquiry
    | SuspendCase
    | ResumeCase
    | ApproveCase
    | RejectCase
    | OpenMaterial
    | EnrolReviewer
    | RetireReviewer
)
"""Every command of review."""

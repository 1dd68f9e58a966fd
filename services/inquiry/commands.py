"""The commands of inquiry, from agencies and the agenda."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from chassis.eventing.commands.handler import Command
from schemas.envelope.documents import DocumentRef
from schemas.envelope.identifiers import normalised

Text = Annotated[str, AfterValidator(normalised)]


class OpenInquiry(Command):
    """Reaction to a request of review: the agency is asked."""

    inquiry_id: str


class AnswerInquiry(Command):
    """An officer of the agency answers."""

    ROUTE: ClassVar[str] = "/answer"

    UNHASHED: ClassVar[frozenset[str]] = frozenset({"stored"})

    agency: str
    """The officer's agency."""
    inquiry_id: str
    answer: str
    note: Text = ""
    stored: tuple[DocumentRef, ...] = ()

    def within(self) -> str:
        """An agency answers each question separately."""
        return self.inquiry_id


class EscalateInquiry(Command):
    """Timer: the agency's time passed."""

    inquiry_id: str


class OpenQuestion(Command):
    """An officer opens the sealed part of a question."""

    ROUTE: ClassVar[str] = "/open"

    agency: str
    inquiry_id: str
    what: tuple[str, ...]

    def within(self) -> str:
        """An agency answers each question separately."""
        return self.inquiry_id


class RegisterAgency(Command):
    """An agency takes part; sent to the stream of that agency."""

    ROUTE: ClassVar[str] = "/enrolment"

    agency: str
    name_fa: Text
    name_en: Text


InquiryCommand = OpenInquiry | AnswerInquiry | EscalateInquiry | OpenQuestion | RegisterAgency
"""Every command of inquiry."""

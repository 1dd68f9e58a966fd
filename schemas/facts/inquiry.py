"""The facts that inquiry writes."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from schemas.envelope.deadline import Deadline
from schemas.envelope.documents import DocumentRef
from schemas.envelope.fact import Fact, StreamKind, Writer
from schemas.envelope.sealing import Sealable


class InquiryFact(Fact):
    WRITER: ClassVar[Writer] = Writer.INQUIRY


class InquiryOpened(InquiryFact):
    """An agency was asked; the agency's clock begins when the inquiry blocks."""

    TYPE: ClassVar[str] = "inquiry.opened"
    VERSION: ClassVar[int] = 1

    inquiry_id: str
    agency: str
    question: str
    blocking: bool
    deadline: Deadline


class InquiryAnswered(InquiryFact):
    """The agency answered; the inquiry ends."""

    TYPE: ClassVar[str] = "inquiry.answered"
    VERSION: ClassVar[int] = 1

    inquiry_id: str
    answer: str
    """A coded answer of the catalogue, for example `no_objection`."""
    note: Sealable | None = None
    documents: tuple[DocumentRef, ...] = ()


class InquiryOverdue(InquiryFact):
    """The agency's time passed; a supervisor is told. The inquiry stays open."""

    TYPE: ClassVar[str] = "inquiry.overdue"
    VERSION: ClassVar[int] = 1

    inquiry_id: str
    due_at: datetime


class QuestionOpened(InquiryFact):
    """An officer of the agency opened the sealed part of a question."""

    TYPE: ClassVar[str] = "question.opened"
    VERSION: ClassVar[int] = 1
    RECORD: ClassVar[bool] = True

    inquiry_id: str
    what: tuple[str, ...]
    reason: str


class AgencyRegistered(InquiryFact):
    """An outside agency takes part."""

    TYPE: ClassVar[str] = "agency.registered"
    VERSION: ClassVar[int] = 1
    KIND: ClassVar[StreamKind] = StreamKind.AGENCY

    agency: str
    name_fa: str
    name_en: str

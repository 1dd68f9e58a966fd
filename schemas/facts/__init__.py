"""Every fact there is: one closed union, and the way between a fact and its stored bytes."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from schemas.envelope.codec import FactCodec, MalformedFact, UnknownFact
from schemas.envelope.fact import Fact
from schemas.facts import inquiry, intake, notify, review
from schemas.upcasting import upcast

AnyFact = (
    intake.CaseSubmitted
    | intake.IdentityConfirmed
    | intake.IdentityQuestioned
    | intake.IdentityAnswered
    | intake.IdentityOverdue
    | intake.DocumentReleased
    | intake.CorrectionAnswered
    | intake.CaseWithdrawn
    | intake.PapersOpened
    | intake.CertificateIssued
    | intake.OfficeRegistered
    | intake.OfficeChanged
    | review.TargetSet
    | review.TargetPassed
    | review.DrawCommitted
    | review.DrawMade
    | review.AssignmentRefused
    | review.CorrectionRequested
    | review.CorrectionOverdue
    | review.InquiryRequested
    | review.InquiryWithdrawn
    | review.CaseSuspended
    | review.CaseResumed
    | review.CaseApproved
    | review.CaseRejected
    | review.MaterialOpened
    | review.ReviewerEnrolled
    | review.ReviewerRetired
    | inquiry.InquiryOpened
    | inquiry.InquiryAnswered
    | inquiry.InquiryOverdue
    | inquiry.QuestionOpened
    | inquiry.AgencyRegistered
    | notify.MessageSent
    | notify.MessageFailed
)

FACTS: Final[MappingProxyType[str, type[Fact]]] = MappingProxyType({f.TYPE: f for f in AnyFact.__args__})
"""Wire name -> the current model of that fact."""


def encode(fact: Fact) -> bytes:
    """The bytes to store. Raises ValueError when a value is still clear (see `schemas.envelope.sealing`)."""
    return fact.model_dump_json(exclude_none=True).encode()


def decode(type_name: str, version: int, body: bytes) -> AnyFact:
    """The fact that `body` holds, upcast to the current version.

    Raises UnknownFact for an unknown type or a version newer than this code; MalformedFact when the bytes do not fit.
    """
    model = FACTS.get(type_name)
    if model is None or version > model.VERSION or version < 1:
        raise UnknownFact(f"{type_name}/{version}")
    try:
        if version == model.VERSION:
            return model.model_validate_json(body)  # type: ignore[return-value]
        return model.model_validate(upcast(type_name, version, model.VERSION, body))  # type: ignore[return-value]
    except ValueError as error:
        # `from None`: pydantic's error repeats the input, and that may be somebody's data.
        raise MalformedFact(f"{type_name}/{version}: {type(error).__name__}") from None


CODEC: Final = FactCodec(FACTS, encode, decode)
"""What a service gives to whatever stores its facts and reads them."""

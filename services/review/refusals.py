"""Refusals of review: each docstring is the default message; locale/ has the texts by code."""

from __future__ import annotations

from chassis.refusal import Refusal, Temporary


class InvalidField(Refusal):
    """This field is missing or wrong."""

    code = "invalid_field"
    status = 422


class NoSuchCase(Refusal):
    """There is no such case."""

    code = "no_such_case"
    status = 404


class CaseIsClosed(Refusal):
    """This case has been decided or withdrawn. It can no longer be changed."""

    code = "case_is_closed"


class NotYourCase(Refusal):
    """This case was not drawn for you, or is no longer yours."""

    code = "not_your_case"
    status = 403


class NobodyToDraw(Temporary):
    """No reviewer can be drawn for this case. It waits until one is enrolled."""

    code = "nobody_to_draw"


class WitnessMissing(Refusal):
    """A draw needs the signature of every witness named when its pool was fixed. Wait until all have signed."""

    code = "witness_missing"


class CorrectionIsOpen(Refusal):
    """The applicant has not answered the correction yet. Decide once they have."""

    code = "correction_is_open"


class InquiryIsOpen(Refusal):
    """An agency has not answered yet. Wait for its answer, or withdraw the inquiry."""

    code = "inquiry_is_open"


class CaseIsSuspended(Refusal):
    """The case is with the Article 100 commission."""

    code = "case_is_suspended"


class CaseIsNotSuspended(Refusal):
    """The case is not suspended."""

    code = "case_is_not_suspended"


class IdentityOpen(Refusal):
    """The identity papers have not been confirmed yet."""

    code = "identity_open"


class DocumentsNotReleased(Refusal):
    """Not all the documents that you need have been released to you yet. The identity clerk releases them."""

    code = "documents_not_released"


class NoSuchInquiry(Refusal):
    """There is no such open inquiry."""

    code = "no_such_inquiry"
    status = 404


class AlreadyEnrolled(Refusal):
    """This member of staff is already enrolled."""

    code = "already_enrolled"


class NotEnrolled(Refusal):
    """This member of staff is not enrolled."""

    code = "not_enrolled"

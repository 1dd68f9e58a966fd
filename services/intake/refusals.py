"""Refusals of intake: each docstring is the default message; locale/ has the texts by code."""

from __future__ import annotations

from chassis.refusal import Refusal


class InvalidField(Refusal):
    """This field is missing or wrong."""

    code = "invalid_field"
    status = 422


class UnknownRequestType(InvalidField):
    """There is no such type of request. Choose one from the list."""

    code = "unknown_request_type"


class WrongDistrict(InvalidField):
    """The city has districts 1 to 5."""

    code = "wrong_district"


class WrongNationalCode(InvalidField):
    """A national code has ten digits, and the last one must match the others."""

    code = "wrong_national_code"


class WrongMobile(InvalidField):
    """A mobile number has eleven digits and starts with 09."""

    code = "wrong_mobile"


class WrongEmail(InvalidField):
    """This is not an e-mail address. Leave it empty if there is none."""

    code = "wrong_email"


class MissingDocument(InvalidField):
    """A document that this request needs is missing."""

    code = "missing_document"


class ConsentMissing(InvalidField):
    """An office may file only for an applicant who is present and consents. Ask them, then confirm that they consent."""

    code = "consent_missing"


class CaseExists(Refusal):
    """This request has already been filed."""

    code = "case_exists"


class NoSuchCase(Refusal):
    """There is no such case."""

    code = "no_such_case"
    status = 404


class CaseIsClosed(Refusal):
    """This case has been decided or withdrawn. It can no longer be changed."""

    code = "case_is_closed"


class NothingAsked(Refusal):
    """There is nothing for you to answer in this case at the moment."""

    code = "nothing_asked"


class IdentityIsSettled(Refusal):
    """The papers have already been confirmed, or other papers have been asked for."""

    code = "identity_is_settled"


class UnknownDocument(Refusal):
    """There is no such document in this case."""

    code = "unknown_document"
    status = 404


class AlreadyReleased(Refusal):
    """The reviewer already has a copy of this document."""

    code = "already_released"


class NotForReviewers(Refusal):
    """Reviewers see only copies of documents that do not identify the applicant. Release another document."""

    code = "not_for_reviewers"


class OfficeExists(Refusal):
    """This office is already registered."""

    code = "office_exists"


class NoSuchOffice(Refusal):
    """There is no such office."""

    code = "no_such_office"
    status = 404


class WrongPerson(InvalidField):
    """This is not the national code that you signed in with. You can file only for yourself; counter offices file for others."""

    code = "wrong_person"

"""What intake refuses, and why: each docstring is the default message; locale/ has the texts by code."""

from __future__ import annotations

from chassis.refusal import Refusal


class InvalidField(Refusal):
    """This field is missing or wrong."""

    code = "invalid_field"
    status = 422


class UnknownRequestType(InvalidField):
    """There is no such kind of request. Choose one of the list."""

    code = "unknown_request_type"


class WrongDistrict(InvalidField):
    """The city has districts 1 to 5."""

    code = "wrong_district"


class WrongNationalCode(InvalidField):
    """The national code has ten digits, and the last one must fit the others."""

    code = "wrong_national_code"


class WrongMobile(InvalidField):
    """A mobile number has eleven digits and begins with 09."""

    code = "wrong_mobile"


class WrongEmail(InvalidField):
    """This is no e-mail address. Leave it empty when there is none."""

    code = "wrong_email"


class MissingDocument(InvalidField):
    """A document that this request needs is missing."""

    code = "missing_document"


class ConsentMissing(InvalidField):
    """An office files only for an applicant who is present and consents. Ask them, then mark that they consent."""

    code = "consent_missing"


class CaseExists(Refusal):
    """This request was filed already."""

    code = "case_exists"


class NoSuchCase(Refusal):
    """There is no such case."""

    code = "no_such_case"
    status = 404


class CaseIsClosed(Refusal):
    """The case is decided or withdrawn; nothing more can be done in it."""

    code = "case_is_closed"


class NothingAsked(Refusal):
    """Nothing is asked of you in this case at the moment."""

    code = "nothing_asked"


class IdentityIsSettled(Refusal):
    """The papers were confirmed already, or other papers are awaited."""

    code = "identity_is_settled"


class UnknownDocument(Refusal):
    """There is no such document in this case."""

    code = "unknown_document"
    status = 404


class AlreadyReleased(Refusal):
    """The reviewer has a copy of this document already."""

    code = "already_released"


class NotForReviewers(Refusal):
    """A reviewer sees only copies of documents that do not tell who the applicant is. Release another document."""

    code = "not_for_reviewers"


class OfficeExists(Refusal):
    """This office is registered already."""

    code = "office_exists"


class NoSuchOffice(Refusal):
    """There is no such office."""

    code = "no_such_office"
    status = 404


class WrongPerson(InvalidField):
    """This is not the national code with which you signed in. You can file for yourself; a counter office files for others."""

    code = "wrong_person"

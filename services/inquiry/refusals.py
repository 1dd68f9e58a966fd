"""Refusals of inquiry: each docstring is the default message; locale/ has the texts by code."""

from __future__ import annotations

from chassis.refusal import Refusal


class InvalidField(Refusal):
    """This field is missing or wrong."""

    code = "invalid_field"
    status = 422


class NoSuchInquiry(Refusal):
    """There is no such inquiry for your agency."""

    code = "no_such_inquiry"
    status = 404


class InquiryIsClosed(Refusal):
    """This inquiry has been answered or withdrawn, or the case has ended."""

    code = "inquiry_is_closed"


class AgencyExists(Refusal):
    """This agency is already registered."""

    code = "agency_exists"

"""Refusals of sign-ins that come back from the issuer: each sentence says what to do next."""

from __future__ import annotations

from types import MappingProxyType

from chassis.refusal import Refusal
from chassis.web.problems import SignInFailed


class IssuerAway(SignInFailed):
    """The sign-in service does not answer. Wait a minute, then start again."""

    code = "issuer_away"
    status = 503
    headers = MappingProxyType({"Retry-After": "2"})


class IssuerRefused(SignInFailed):
    """The sign-in service did not accept this sign-in. Start again; if that does not help, tell the operators."""

    code = "issuer_refused"
    status = 403


class SignInCancelled(SignInFailed):
    """The sign-in was cancelled at the sign-in service. Start again when you are ready."""

    code = "sign_in_cancelled"
    status = 403


class SignInExpired(SignInFailed):
    """This sign-in has expired, was already used, or was started in another browser. Start again here."""

    code = "sign_in_expired"
    status = 403


class SignInForged(SignInFailed):
    """The sign-in service's answer could not be verified, so it was not accepted. Start again; if that does not help, tell
    the operators."""

    code = "sign_in_forged"
    status = 403

    def __init__(self, reason: str) -> None:
        """`reason`: a word for our log, never a value from the answer."""
        super().__init__()
        self.reason = reason


class NoRole(SignInFailed):
    """The sign-in service knows you, but you have no role at this desk. Ask whoever manages your account to give you one."""

    code = "no_role"
    status = 403


class SeveralRoles(SignInFailed):
    """Your account has more than one role at this desk, and one person acts in one role here. Ask whoever manages your
    account to leave you only one."""

    code = "several_roles"
    status = 403


class NotACitizen(SignInFailed):
    """The sign-in service has no verified national code and mobile number for you. Complete them there, or sign in here
    with a one-time code."""

    code = "not_a_citizen"
    status = 403


class AnotherPerson(SignInFailed):
    """Your account at the sign-in service now has a different national code, so you are not signed in. Have it corrected
    there, or sign in here with a one-time code."""

    code = "another_person"
    status = 403


class LogoutRefused(Refusal):
    """The request to end a session could not be verified, so it was not carried out."""

    code = "logout_refused"
    status = 400
    headers = MappingProxyType({"Cache-Control": "no-store"})

"""Why somebody who came back from the issuer is not signed in: each a sentence with what to do next."""

from __future__ import annotations

from types import MappingProxyType

from chassis.refusal import Refusal
from chassis.web.problems import SignInFailed


class IssuerAway(SignInFailed):
    """The sign-in service does not answer. Wait a minute, then begin again."""

    code = "issuer_away"
    status = 503
    headers = MappingProxyType({"Retry-After": "2"})


class IssuerRefused(SignInFailed):
    """The sign-in service did not accept this sign-in. Begin again; if that does not help, tell those who run this system."""

    code = "issuer_refused"
    status = 403


class SignInCancelled(SignInFailed):
    """The sign-in was cancelled at the sign-in service. Begin again when you are ready."""

    code = "sign_in_cancelled"
    status = 403


class SignInExpired(SignInFailed):
    """This sign-in is too old, was used before, or was begun in another browser. Begin again here."""

    code = "sign_in_expired"
    status = 403


class SignInForged(SignInFailed):
    """The answer of the sign-in service could not be proved genuine, so it was not believed. Begin again; if that does not
    help, tell those who run this system."""

    code = "sign_in_forged"
    status = 403

    def __init__(self, reason: str) -> None:
        """`reason`: a word for our log, never a value of the answer."""
        super().__init__()
        self.reason = reason


class NoRole(SignInFailed):
    """The sign-in service knows you, but you have no role at this desk. Ask those who manage your account to give you one."""

    code = "no_role"
    status = 403


class SeveralRoles(SignInFailed):
    """Your account has more than one role at this desk, and one person acts in one role here. Ask those who manage your
    account to leave you one."""

    code = "several_roles"
    status = 403


class NotACitizen(SignInFailed):
    """The sign-in service did not name a proved national code and mobile number for you. Complete them there, or sign in here
    with a one-time code."""

    code = "not_a_citizen"
    status = 403


class AnotherPerson(SignInFailed):
    """Your account at the sign-in service came with another national code than before, so you are not signed in. Have it put
    right there, or sign in here with a one-time code."""

    code = "another_person"
    status = 403


class LogoutRefused(Refusal):
    """The order to end a session could not be proved genuine, so it was not followed."""

    code = "logout_refused"
    status = 400
    headers = MappingProxyType({"Cache-Control": "no-store"})

"""The code flow of one door, from the button to the principal: OpenID Connect Core 1.0, PKCE, RFC 9207, and the ends of it."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg

from chassis.accounts.oidc import people, tokens
from chassis.accounts.oidc.issuer import Issuer
from chassis.accounts.oidc.refusals import IssuerAway, IssuerRefused, SignInCancelled, SignInExpired, SignInForged
from chassis.accounts.oidc.transactions import Begun, Transactions
from chassis.accounts.one_time_codes import Blind
from chassis.accounts.sessions import Issued, Sessions
from chassis.principal import Principal
from chassis.privacy.key_files import VaultKeys
from chassis.settings import Settings, Unset

RETURN: Final = "/sign-in/oidc/return"
"""The path of the redirect URI, which is registered with the issuer."""
_CANCELLED: Final = frozenset({"access_denied", "interaction_required", "login_required", "account_selection_required"})
_AWAY: Final = frozenset({"temporarily_unavailable", "server_error"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came back and is who they say."""

    principal: Principal
    issued: Issued
    next: str


class RelyingParty:
    """This door at its issuer."""

    def __init__(
        self,
        settings: Settings,
        service: str,
        *,
        db: asyncpg.Pool,
        sessions: Sessions,
        roles: Sequence[str],
        blind: Blind | None = None,
        issuer: Issuer | None = None,
    ) -> None:
        """`roles`: those of staff at this door; `blind`: the keyed hash by which citizens are known, where they come in.

        Raises Unset when the door's own URL was not given, KeyFileMissing.
        """
        self._settings, self._roles, self._sessions = settings.oidc, tuple(roles), sessions
        self._door = settings.public_url(service)
        self._issuer = issuer or Issuer(settings.oidc)
        self._transactions = Transactions(db)
        self._naming = people.Naming(settings.oidc.issuer, VaultKeys(settings.keys).get(people.KEY))
        self._citizens = people.Citizens(db, sessions, blind, settings.oidc, self._naming) if blind else None

    @property
    def _redirect_uri(self) -> str:
        return self._door + RETURN  # of the settings, never of the request: a Host header is the sender's

    async def begin(self, *, citizen: bool, to: str, language: str) -> tuple[str, Begun]:
        """The issuer's page to send the person to, and the transaction. Raises IssuerAway, SignInForged."""
        await self._issuer.metadata()  # before there is a row: an issuer that is away fills no table
        begun = await self._transactions.begin(citizen=citizen, to=to)
        made = begun.transaction
        url = await self._issuer.authorization(
            state=begun.state,
            nonce=made.nonce,
            verifier=made.verifier,
            redirect_uri=self._redirect_uri,
            language=language,
        )
        return url, begun

    async def finish(self, parameters: Sequence[tuple[str, str]], browser: str | None) -> Arrival:
        """Who came back with these parameters of the redirect URI. Raises a SignInFailed."""
        if not parameters:
            raise SignInExpired  # a page that was opened again, in another language perhaps
        given = dict(parameters)
        if len(given) != len(parameters):
            raise SignInForged("parameter_twice")
        if not given.get("state"):
            raise SignInForged("no_state")
        found = await self._transactions.take(given["state"], browser or "")
        if found is None:
            raise SignInExpired
        await self._from_our_issuer(given.get("iss"))
        if "error" in given:
            raise _of_error(given["error"])
        if not given.get("code"):
            raise SignInForged("no_code")
        answer = await self._issuer.exchange(code=given["code"], verifier=found.verifier, redirect_uri=self._redirect_uri)
        claims = await tokens.id_token(answer, self._issuer, found.nonce)
        if not found.citizen:
            principal = people.staff(claims, self._settings, self._roles, self._naming)
        elif self._citizens is not None:
            principal = await self._citizens.principal(claims)
        else:
            raise SignInForged("citizen_here")
        return Arrival(principal, self._issued(claims), found.next)

    async def _from_our_issuer(self, named: str | None) -> None:
        """Raises SignInForged: an answer of another issuer would carry our code to that one (RFC 9207, mix-up)."""
        if named is None:
            if (await self._issuer.metadata()).authorization_response_iss_parameter_supported:
                raise SignInForged("no_iss_parameter")
        elif not hmac.compare_digest(named.encode(), self._settings.issuer.encode()):
            raise SignInForged("iss_parameter")

    async def logged_out(self, token: object) -> int:
        """End what the issuer orders to end (Back-Channel Logout 1.0); how many sessions. Raises SignInForged, IssuerAway."""
        claims = await tokens.logout_token(token, self._issuer)
        return await self._sessions.end_issued(self._issued(claims))

    async def farewell(self) -> str | None:
        """Where to sign out at the issuer too (RP-Initiated Logout 1.0), or None when it has no such page, or is away.

        Without an ID token as a hint: kept for that, it would be personal data in our rows; the issuer asks the person instead.
        """
        try:
            where = (await self._issuer.metadata()).end_session_endpoint
        except (IssuerAway, SignInForged):
            return None
        if where is None:
            return None
        query = urlencode({"client_id": self._settings.client_id, "post_logout_redirect_uri": self._door + "/"})
        return f"{where}{'&' if '?' in where else '?'}{query}"

    def _issued(self, claims: dict[str, Any]) -> Issued:
        sid, subject = claims.get("sid"), claims.get("sub")
        return Issued(
            person=self._naming.person(subject) if isinstance(subject, str) else None,
            session=self._naming.session(sid) if isinstance(sid, str) and sid else None,
        )


def relying_party(
    settings: Settings, service: str, *, db: asyncpg.Pool, sessions: Sessions, roles: Sequence[str], blind: Blind | None = None
) -> RelyingParty | None:
    """This door at the issuer of the settings; None where there is none. Raises Unset, KeyFileMissing."""
    return RelyingParty(settings, service, db=db, sessions=sessions, roles=roles, blind=blind) if settings.oidc.on else None


def check(settings: Settings, service: str) -> None:
    """Raise Unset or KeyFileMissing now: a reason that is raised inside the application is lost."""
    if settings.oidc.on:
        settings.public_url(service)
        VaultKeys(settings.keys).get(people.KEY)


def local_subject(settings: Settings, subject: str) -> str:
    """What staff with this `sub` of the issuer is called here, for an enrolment or a revocation. Raises Unset, KeyFileMissing."""
    if not settings.oidc.on:
        raise Unset("PARVANDEH_OIDC_ISSUER is not set")
    return people.Naming(settings.oidc.issuer, VaultKeys(settings.keys).get(people.KEY)).staff(subject)


def _of_error(error: str) -> Exception:
    if error in _CANCELLED:
        return SignInCancelled()
    return IssuerAway() if error in _AWAY else IssuerRefused()

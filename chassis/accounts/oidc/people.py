"""Who a person of the issuer is here: staff by the table of roles, a citizen by national code and mobile."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg

from caselog.db.queries import Queries
from chassis.accounts.oidc.refusals import AnotherPerson, NoRole, NotACitizen, SeveralRoles
from chassis.accounts.one_time_codes import CITIZEN, Blind, subject_of
from chassis.accounts.sessions import SQL, Sessions
from chassis.oidc_settings import Oidc, Seat
from chassis.principal import Principal
from schemas.envelope.identifiers import is_mobile, is_national_code, normalised

KEY: Final = "subject"
"""The key file under which an issuer's people are named here (chassis/privacy/key_files.py)."""
LONGEST_NAME: Final = 100
STAFF: Final = "oidc-"
"""How the local subject of staff of an issuer begins; no local account is called so."""
_STAFF: Final = re.compile(STAFF + "[a-z2-7]{32}")


class Naming:
    """The names here of what the issuer names: keyed hashes, since a subject may be a national code, and a hash without a key
    of one of 10^9 codes is no secret."""

    def __init__(self, issuer: str, key: bytes) -> None:
        self._issuer, self._key = issuer, key

    def person(self, subject: str) -> bytes:
        """The person `subject` of this issuer."""
        return self._hash(b"person", subject)

    def session(self, sid: str) -> bytes:
        """The session `sid` at this issuer."""
        return self._hash(b"session", sid)

    def staff(self, subject: str) -> str:
        """The local subject of staff: stable, since (issuer, sub) is the one name that never passes to another person."""
        return STAFF + base64.b32encode(self.person(subject)[:20]).decode().lower()

    def _hash(self, kind: bytes, name: str) -> bytes:
        parts = (kind, self._issuer.encode(), name.encode())
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, message, "sha256")


def is_staff(subject: str) -> bool:
    """Whether `subject` has the form of the local subject of an issuer's staff."""
    return _STAFF.fullmatch(subject) is not None


def staff(claims: Mapping[str, Any], settings: Oidc, roles: Sequence[str], naming: Naming) -> Principal:
    """The principal of a member of staff at a desk that knows `roles`. Raises NoRole, SeveralRoles."""
    values = _claim(claims, settings.roles_claim)
    listed = values if isinstance(values, list) else [values]
    seats: set[Seat] = {settings.roles[value] for value in listed if isinstance(value, str) and value in settings.roles}
    fitting = [seat for seat in seats if seat.role in roles]
    if not fitting:
        raise NoRole
    if len(fitting) > 1:
        raise SeveralRoles  # to choose for them could join two duties that must stay apart
    return Principal(
        role=fitting[0].role,
        subject=naming.staff(claims["sub"]),
        name=_name(claims.get("name")),
        office=fitting[0].office,
        agency=fitting[0].agency,
    )


def _name(value: object) -> str:
    """What of a name can be shown and stored; a zero-width non-joiner belongs to Persian names."""
    text = normalised(value) if isinstance(value, str) else ""
    return "".join(each for each in text if each.isprintable() or each == "\u200c")[:LONGEST_NAME]


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


class Citizens:
    """Citizens whose national code and mobile the issuer has proved. They are the same citizens as those with one-time codes."""

    def __init__(self, db: asyncpg.Pool, sessions: Sessions, blind: Blind, settings: Oidc, naming: Naming) -> None:
        self._db, self._sessions, self._blind, self._settings, self._naming = db, sessions, blind, settings, naming
        self._sql = Queries.load(SQL)

    async def principal(self, claims: Mapping[str, Any]) -> Principal:
        """The citizen of these claims. Raises NotACitizen, AnotherPerson.

        The issuer's word on the mobile wins over an earlier one: a first one-time code binds whatever mobile asked for it, and
        who bound another's number then loses it and the sessions that stand on it.
        """
        citizen = self._blind("national_code", _national_code(claims, self._settings))
        mobile = self._blind("mobile", _mobile(claims, self._settings))
        person = self._naming.person(claims["sub"])
        async with self._db.acquire() as connection, connection.transaction():
            await connection.execute(self._sql.bind_person, person, citizen)
            if await connection.fetchval(self._sql.citizen_of_person, person) != citizen:
                raise AnotherPerson
            known = await connection.fetchval(self._sql.mobile_of, citizen)
            await connection.execute(self._sql.rebind_citizen, citizen, mobile)
        subject = subject_of(citizen)
        if known is not None and known != mobile:
            await self._sessions.revoke(subject)
        return Principal(role=CITIZEN, subject=subject)


def _national_code(claims: Mapping[str, Any], settings: Oidc) -> str:
    value = _claim(claims, settings.national_code_claim)
    code = normalised(value) if isinstance(value, str) else ""
    if not is_national_code(code):
        raise NotACitizen
    return code


def _mobile(claims: Mapping[str, Any], settings: Oidc) -> str:
    value = _claim(claims, settings.mobile_claim)
    number = normalised(value).replace(" ", "") if isinstance(value, str) else ""
    number = "0" + number[3:] if number.startswith("+98") else number  # E.164, as OpenID Connect recommends
    if not is_mobile(number) or claims.get(f"{settings.mobile_claim}_verified", True) is not True:
        raise NotACitizen
    return number

"""Citizens sign in with national code and mobile: a one-time code goes to the mobile, and only keyed hashes are stored."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import asyncpg

from caselog.db.queries import Queries
from chassis.accounts.sessions import SQL
from chassis.principal import Principal

Blind = Callable[[str, str], bytes]
"""`blind(kind, value)`: a keyed hash whose key is not in the database (design.md section 6)."""
SendCode = Callable[[str, str, str], Awaitable[None]]
"""`send(mobile, code, language)`: hands the code to the text message sender."""

LIFETIME: Final = timedelta(minutes=3)
ATTEMPTS: Final = 5
CITIZEN: Final = "citizen"


class OneTimeCodes:
    """Challenges of citizens.

    The first sign-in binds a mobile to a national code. (That the number belongs to the person is the telecom registry's
    answer; a city connects it in `send`.) A later request with another mobile gets the same page and no code.
    """

    def __init__(self, db: asyncpg.Pool, blind: Blind, send: SendCode) -> None:
        self._db, self._blind, self._send = db, blind, send
        self._sql = Queries.load(SQL)

    async def challenge(self, national_code: str, mobile: str, language: str) -> str:
        """Send a code and return the challenge's token. Callers validate both arguments; they are ASCII digits here."""
        token = secrets.token_urlsafe(24)
        code = f"{secrets.randbelow(1_000_000):06d}"
        citizen = self._blind("national_code", national_code)
        number = self._blind("mobile", mobile)
        bound = await self._db.fetchval(self._sql.mobile_of, citizen)
        known = bound is None or hmac.compare_digest(bound, number)
        await self._db.execute(self._sql.sweep_codes)
        await self._db.execute(
            self._sql.put_code,
            self._blind("challenge", token),
            citizen,
            number,
            # Who asks with another's mobile gets a challenge that no code opens.
            self._blind("one_time_code", f"{token}:{code}") if known else secrets.token_bytes(32),
            ATTEMPTS,
            LIFETIME,
        )
        if known:
            await self._send(mobile, code, language)
        return token

    async def answer(self, token: str, code: str) -> Principal | None:
        """The citizen of an answered challenge, once; None when it is wrong, used up, too old or unknown."""
        challenge = self._blind("challenge", token)
        async with self._db.acquire() as connection:
            # Autocommit: the attempt counts although what follows fails.
            row = await connection.fetchrow(self._sql.try_code, challenge)
            given = self._blind("one_time_code", f"{token}:{code}")
            if row is None or not hmac.compare_digest(row["code"], given):
                return None
            async with connection.transaction():
                if await connection.execute(self._sql.spend_code, challenge) != "DELETE 1":
                    return None
                await connection.execute(self._sql.bind_citizen, row["citizen"], row["mobile"])
                bound = await connection.fetchval(self._sql.mobile_of, row["citizen"])
            if not hmac.compare_digest(bound, row["mobile"]):
                return None  # two first sign-ins at once: the first one bound the code
            return Principal(role=CITIZEN, subject=subject_of(row["citizen"]))


def subject_of(citizen: bytes) -> str:
    """The opaque subject of a citizen: their blind index in base32."""
    return "cit-" + base64.b32encode(citizen[:20]).decode().lower()

"""Sessions as rows of the service's own database: what the browser holds is a random token, the row holds its hash."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg

from caselog.db.queries import Queries
from chassis.principal import Principal

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=10)
SQL: Final = Path(__file__).with_name("queries.sql")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()  # 256 random bits need no slow hash


@dataclass(frozen=True, slots=True)
class Issued:
    """Whose session at the issuer a session here stands on: keyed hashes, by which the issuer can have it ended."""

    person: bytes | None
    session: bytes | None = None


class Sessions:
    """Opens, uses and ends sessions. A session ends by sign-out, by rest (30 min), by age (10 h), by revocation, or when its
    local account is closed or changed."""

    def __init__(self, db: asyncpg.Pool, *, idle: timedelta = IDLE, absolute: timedelta = ABSOLUTE) -> None:
        self._db = db
        self._idle, self._absolute = idle, absolute
        self._sql = Queries.load(SQL)

    async def begin(self, principal: Principal, *, instead_of: str | None = None, issued: Issued | None = None) -> str:
        """A new session's token; the session `instead_of` ends, so that a token from before sign-in is worth nothing."""
        token = secrets.token_urlsafe(32)
        async with self._db.acquire() as connection, connection.transaction():
            await connection.execute(self._sql.sweep_sessions)
            if instead_of:
                await connection.execute(self._sql.end_session, _hash(instead_of))
            row = json.dumps(principal.row(), ensure_ascii=False)
            await connection.execute(
                self._sql.open_session, _hash(token), principal.subject, row, self._idle, self._absolute,
                issued and issued.person, issued and issued.session,
            )  # fmt: skip
        return token

    async def principal(self, token: str) -> Principal | None:
        """Whose token this is, or None when the session is over; asked of the row each time, so revocation is at once."""
        row = await self._db.fetchval(self._sql.use_session, _hash(token), self._idle)
        return None if row is None else Principal.from_row(json.loads(row))

    async def end(self, token: str) -> bool:
        """Sign out; whether the session stood on one at the issuer."""
        return bool(await self._db.fetchval(self._sql.end_session, _hash(token)))

    async def revoke(self, subject: str) -> int:
        """End every session of one subject; how many there were."""
        return _count(await self._db.execute(self._sql.end_sessions_of, subject))

    async def end_issued(self, issued: Issued) -> int:
        """End the session that stands on this one at the issuer, or all of this person where none is named; how many."""
        return _count(await self._db.execute(self._sql.end_issued, issued.person, issued.session))


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])

"""Sign-ins under way: a row each, bound to the browser that began it, used once, gone after ten minutes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import asyncpg

from caselog.db.queries import Queries
from chassis.accounts.sessions import SQL

LIFETIME: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What this door must remember between sending a person away and their coming back."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    citizen: bool
    """Whether a citizen is signing in, and not staff."""
    next: str
    """The page to go on to."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A transaction with the two secrets of which only hashes are kept."""

    state: str = field(repr=False)
    browser: str = field(repr=False)
    transaction: Transaction


class Transactions:
    """The transactions of one service."""

    def __init__(self, db: asyncpg.Pool, lifetime: timedelta = LIFETIME) -> None:
        self._db, self._lifetime = db, lifetime
        self._sql = Queries.load(SQL)

    async def begin(self, *, citizen: bool, to: str) -> Begun:
        """A new transaction; those that are too old go."""
        begun = Begun(
            state=secrets.token_urlsafe(32),
            browser=secrets.token_urlsafe(32),
            transaction=Transaction(secrets.token_urlsafe(32), secrets.token_urlsafe(48), citizen, to),
        )
        made = begun.transaction
        await self._db.execute(self._sql.sweep_transactions)
        await self._db.execute(
            self._sql.put_transaction,
            _hash(begun.state), _hash(begun.browser), made.nonce, made.verifier, made.citizen, made.next, self._lifetime,
        )  # fmt: skip
        return begun

    async def take(self, state: str, browser: str) -> Transaction | None:
        """The transaction of this state and browser, once; None when there is none, or none any more.

        It is gone with the answer, whatever becomes of the sign-in: a second answer to the same question is a replay.
        """
        row = await self._db.fetchrow(self._sql.take_transaction, _hash(state), _hash(browser))
        return None if row is None else Transaction(row["nonce"], row["verifier"], row["citizen"], row["next"])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()  # 256 random bits need no slow hash

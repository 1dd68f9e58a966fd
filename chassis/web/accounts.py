"""Local accounts of staff: argon2 password hashes, and an answer that does not tell which half was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from caselog.queries import Queries
from chassis.web.principal import Principal
from chassis.web.sessions import SQL, Sessions


@dataclass(frozen=True, slots=True)
class Account:
    """An account to be made; `password` is the clear one and is not kept."""

    account_id: str
    username: str
    password: str
    role: str
    name: str
    office: str | None = None
    agency: str | None = None
    districts: tuple[int, ...] = ()


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash to verify against when there is no such account: an unknown name must take as long as a wrong password."""
    return hasher.hash("nobody has this password")


class Accounts:
    """The service's accounts."""

    def __init__(self, own: asyncpg.Pool, sessions: Sessions, hasher: PasswordHasher | None = None) -> None:
        self._own, self._sessions = own, sessions
        self._hasher = hasher or PasswordHasher()
        self._sql = Queries.load(SQL)

    async def check(self, username: str, password: str) -> Principal | None:
        """The principal of this name and password, or None; unknown, closed and wrong are the same answer in the same time."""
        # PostgreSQL's text cannot hold U+0000, so nobody has such a name; HTTP Basic can send one.
        row = None if "\0" in username else await self._own.fetchrow(self._sql.account, username.strip().lower())
        stored = row["password"] if row else await asyncio.to_thread(_nobody, self._hasher)
        right = await asyncio.to_thread(self._verify, stored, password)
        if row is None or not right:
            return None
        if self._hasher.check_needs_rehash(stored):
            await self._own.execute(self._sql.rehash, row["account_id"], await asyncio.to_thread(self._hasher.hash, password))
        return Principal(
            role=row["role"],
            subject=row["account_id"],
            name=row["name"],
            office=row["office"],
            agency=row["agency"],
            districts=tuple(row["districts"]),
        )

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def put(self, accounts: Iterable[Account], *, demonstration: bool = False) -> None:
        """Make the accounts that are not there yet; an existing one keeps its password."""
        for each in accounts:
            hashed = await asyncio.to_thread(self._hasher.hash, each.password)
            await self._own.execute(
                self._sql.put_account,
                each.account_id,
                each.username.lower(),
                hashed,
                each.role,
                each.name,
                each.office,
                each.agency,
                list(each.districts),
                demonstration,
            )

    async def close(self, account_id: str) -> None:
        """Close an account and end its sessions at once."""
        await self._own.execute(self._sql.close_account, account_id)
        await self._sessions.revoke(account_id)

    async def has_demonstration(self) -> bool:
        """Whether open demonstration accounts stand in this database (production settings refuse to start then)."""
        return bool(await self._own.fetchval(self._sql.demonstration_accounts))

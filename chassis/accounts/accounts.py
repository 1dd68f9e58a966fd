"""Local accounts of staff: argon2 password hashes, and an answer that does not tell which half was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from caselog.db.queries import Queries
from chassis.accounts.sessions import SQL, Sessions
from chassis.principal import Principal
from chassis.settings import Settings


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


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as it stands in the database, without its password."""

    principal: Principal
    username: str
    active: bool


class UsernameTaken(Exception):
    """Another account has this user name; a closed one keeps its own."""


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash to verify against when there is no such account: an unknown name must take as long as a wrong password."""
    return hasher.hash("nobody has this password")


class Accounts:
    """The service's accounts."""

    def __init__(self, db: asyncpg.Pool, sessions: Sessions, hasher: PasswordHasher | None = None) -> None:
        self._db, self._sessions = db, sessions
        self._hasher = hasher or PasswordHasher()
        self._sql = Queries.load(SQL)

    async def check(self, username: str, password: str) -> Principal | None:
        """The principal of this name and password, or None; unknown, closed and wrong are the same answer in the same time."""
        # PostgreSQL's text cannot hold U+0000, so nobody has such a name; HTTP Basic can send one.
        row = None if "\0" in username else await self._db.fetchrow(self._sql.account, username.strip().lower())
        stored = row["password"] if row else await asyncio.to_thread(_nobody, self._hasher)
        right = await asyncio.to_thread(self._verify, stored, password)
        if row is None or not right:
            return None
        if self._hasher.check_needs_rehash(stored):
            await self._db.execute(self._sql.rehash, row["account_id"], await asyncio.to_thread(self._hasher.hash, password))
        return _principal(row)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def put(self, accounts: Iterable[Account], *, demonstration: bool = False) -> None:
        """Make the accounts that are not there yet; an existing one keeps its password. Raises UsernameTaken."""
        for each in accounts:
            await self.make(each, demonstration=demonstration)

    async def make(self, account: Account, *, demonstration: bool = False) -> bool:
        """Whether the account was made now; one that is there keeps all it has. Raises UsernameTaken."""
        hashed = await asyncio.to_thread(self._hasher.hash, account.password)
        try:
            made = await self._db.fetchval(
                self._sql.put_account,
                account.account_id,
                account.username.lower(),
                hashed,
                account.role,
                account.name,
                account.office,
                account.agency,
                list(account.districts),
                demonstration,
            )
        except asyncpg.UniqueViolationError:
            raise UsernameTaken from None  # the database's own words repeat the name
        return made is not None

    async def find(self, account_id: str) -> StoredAccount | None:
        """The account of this id, open or closed, or None."""
        row = await self._db.fetchrow(self._sql.kept_account, account_id)
        return _kept(row) if row else None

    async def all(self) -> list[StoredAccount]:
        """Every account of this service, open and closed, by role."""
        return [_kept(row) for row in await self._db.fetch(self._sql.kept_accounts)]

    async def change(self, principal: Principal) -> None:
        """Give the account of `principal` the role, name, office and agency that it has now, and end its sessions at once."""
        await self._db.execute(
            self._sql.change_account, principal.subject, principal.role, principal.name, principal.office, principal.agency
        )
        await self._sessions.revoke(principal.subject)

    async def open_with(self, account_id: str, password: str) -> None:
        """Give an account another password, open it if it was closed, and end what was opened by the password before."""
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        await self._db.execute(self._sql.open_account, account_id, hashed)
        await self._sessions.revoke(account_id)

    async def close(self, account_id: str) -> None:
        """Close an account and end its sessions at once."""
        await self._db.execute(self._sql.close_account, account_id)
        await self._sessions.revoke(account_id)

    async def has_demonstration(self) -> bool:
        """Whether open demonstration accounts stand in this database (production settings refuse to start then)."""
        return bool(await self._db.fetchval(self._sql.demonstration_accounts))


def _principal(row: asyncpg.Record) -> Principal:
    return Principal(
        role=row["role"],
        subject=row["account_id"],
        name=row["name"],
        office=row["office"],
        agency=row["agency"],
        districts=tuple(row["districts"]),
    )


def _kept(row: asyncpg.Record) -> StoredAccount:
    return StoredAccount(_principal(row), row["username"], row["active"])


async def refuse_demonstration_accounts(settings: Settings, accounts: Accounts) -> None:
    """Raises DemonstrationRefused when demonstration accounts are open under production settings."""
    if settings.production and await accounts.has_demonstration():
        settings.refuse_demonstration("demonstration accounts")

"""Sealing and opening: no clear personal data reaches the log (design.md section 6)."""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

from caselog.db.queries import Queries
from chassis.privacy.key_batcher import KeyBatcher, KeyRequest
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.sealing import associated_data, seal, unseal
from chassis.privacy.tracking_codes import tracking_code
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.envelope.sealing import Clear, DataClass, Sealed

MIGRATIONS: Final = Path(__file__).parent / "migrations"


class KeyGone(Exception):
    """The key was destroyed or never existed: nobody can read the data any more."""


class NotAllowed(Exception):
    """This service may not open this class of data."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one (case, person, class)."""

    id: str
    secret: bytes = field(repr=False)


class Vault:
    """What one service may do with sealed data: its database role and its key files decide, not its code."""

    def __init__(self, pool: asyncpg.Pool, keys: VaultKeys) -> None:
        self._pool, self._keys = pool, keys
        self._sql = Queries.load(Path(__file__).with_name("vault.sql"))
        self._batcher = KeyBatcher(pool, self._sql.keys_for)

    async def seal(self, facts: Sequence[Fact], *, log_id: str, stream: str, command: bytes) -> list[Fact]:
        """The facts with each `Clear` sealed for its place; every key is durable before this returns."""
        case = stream.partition(":")[2]
        of = {(value.person, value.data_class) for fact in facts for _, value in _clear(fact)}
        made = await asyncio.gather(*(self.data_key(case, *each) for each in of))
        keys, sealed = dict(zip(of, made, strict=True)), []
        for ordinal, fact in enumerate(facts):
            updates = {}
            for name, value in _clear(fact):
                key = keys[value.person, value.data_class]
                box = seal(key.secret, value.value, associated_data(log_id, stream, command, ordinal, name))
                updates[name] = Sealed(key=key.id, box=box)
            sealed.append(fact.model_copy(update=updates) if updates else fact)
        return sealed

    async def open(self, recorded: RecordedFact, path: str, sealed: Sealed | Clear) -> dict[str, Any]:
        """The value of the field `path` of a recorded fact. Raises KeyGone, NotAllowed, BoxDamaged."""
        found = (await self.open_all([(recorded, path, sealed)]))[0]
        if found is None:
            raise KeyGone("destroyed, or there never was such a key")
        return found

    async def open_all(self, places: Sequence[tuple[RecordedFact, str, Sealed | Clear]]) -> list[dict[str, Any] | None]:
        """The values of many fields, with one query for their keys; None where the key is gone.

        Raises NotAllowed, BoxDamaged.
        """
        values = [sealed for _, _, sealed in places if isinstance(sealed, Sealed)]
        if len(values) < len(places):
            raise TypeError("a recorded fact has no clear value")
        keys = await self._keys_of({sealed.key for sealed in values})
        return [
            unseal(keys[sealed.key].secret, sealed.box, associated_data(at.log_id, at.stream, at.command, at.ordinal, path))
            if sealed.key in keys
            else None
            for (at, path, _), sealed in zip(places, values, strict=True)
        ]

    async def _keys_of(self, key_ids: Collection[str]) -> dict[str, DataKey]:
        """The keys of the ids that exist and are not destroyed. Raises NotAllowed."""
        try:
            rows = await self._pool.fetch(self._sql.keys, list(key_ids))
        except asyncpg.InsufficientPrivilegeError:
            raise NotAllowed("the class of a key") from None
        return {
            row["key_id"]: self._unwrapped(row["key_id"], DataClass(row["class"]), row["wrapped"])
            for row in rows
            if row["wrapped"] is not None
        }

    async def data_key(self, case: str, person: str, data_class: DataClass) -> DataKey:
        """The key of (case, person, class), made when there is none. Raises NotAllowed, KeyGone after an erasure."""
        wrapping = self._keys.wrapping(data_class)
        offered = aes_key_wrap(wrapping, secrets.token_bytes(32))
        try:
            stored = await self._batcher.make(KeyRequest(case, person, data_class, secrets.token_urlsafe(16), offered))
        except asyncpg.InsufficientPrivilegeError:
            raise NotAllowed(data_class.value) from None
        return self._unwrapped(stored.key_id, data_class, stored.wrapped)

    async def key(self, key_id: str) -> DataKey:
        """The key of an id. Raises KeyGone, NotAllowed."""
        try:
            row = await self._pool.fetchrow(self._sql.key, key_id)
        except asyncpg.InsufficientPrivilegeError:
            raise NotAllowed("the class of this key") from None
        if row is None:
            raise KeyGone("no such key")
        return self._unwrapped(key_id, DataClass(row["class"]), row["wrapped"])

    def _unwrapped(self, key_id: str, data_class: DataClass, wrapped: bytes | None) -> DataKey:
        if wrapped is None:
            raise KeyGone("destroyed")
        return DataKey(key_id, aes_key_unwrap(self._keys.wrapping(data_class), wrapped))

    async def forget(self, case: str, person: str) -> int:
        """Destroy every key of a person in a case; return how many there were."""
        return int(await self._pool.fetchval(self._sql.forget, case, person))

    def alias(self, subject: str, stream: str) -> str:
        """A pseudonym of `subject`, different in each stream: only the holder of the alias key can link them."""
        digest = hmac.digest(self._keys.get("alias"), subject.encode() + b"\0" + stream.encode(), "sha256")
        return base64.b32encode(digest[:8]).decode().rstrip("=").lower()

    def blind(self, kind: str, value: str) -> bytes:
        """A keyed hash of an identifier, for exact search without the identifier."""
        return hmac.digest(self._keys.get("blind"), kind.encode() + b"\0" + value.encode(), "sha256")

    def tracking_code(self, case_id: str) -> str:
        """The tracking code of a case."""
        return tracking_code(self._keys.get("tracking"), case_id)


def _clear(fact: Fact) -> Iterator[tuple[str, Clear]]:
    """The clear values of a fact by field."""
    for name in type(fact).model_fields:
        value = getattr(fact, name)
        if isinstance(value, Clear):
            yield name, value

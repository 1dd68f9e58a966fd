"""Creating keys in batches: many tasks' requests in one statement, one in flight, since each waits for the disk once."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

import asyncpg

from caselog.db.errors import is_transient
from schemas.envelope.sealing import DataClass

REQUESTS_PER_BATCH: Final = 300


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A request to create the key of (case, person, class) unless it exists."""

    case: str
    person: str
    data_class: DataClass
    key_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The key as the vault stores it; `wrapped` is None once it is destroyed."""

    key_id: str
    wrapped: bytes | None


class KeyBatcher:
    """Batches the requests of many tasks and resolves each when its key is durable. A rejected one fails alone."""

    def __init__(self, pool: asyncpg.Pool, statement: str) -> None:
        self._pool, self._statement = pool, statement
        self._waiting: deque[tuple[KeyRequest, asyncio.Future[StoredKey]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def make(self, request: KeyRequest) -> StoredKey:
        """The durable key of the requested (case, person, class). Raises what PostgreSQL raised for this request."""
        future: asyncio.Future[StoredKey] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="vault-keys")
        return await future

    async def _send(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(REQUESTS_PER_BATCH, len(self._waiting)))]
            await self._deliver([each for each in taken if not each[1].done()])

    async def _deliver(self, batch: list[tuple[KeyRequest, asyncio.Future[StoredKey]]]) -> None:
        try:
            stored = await self._call([request for request, _ in batch])
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits, and the next batch must still be sent
            if len(batch) == 1 or is_transient(error):
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for one in batch:  # a class that this service may not open must fail alone
                    await self._deliver([one])
            return
        for (_, future), each in zip(batch, stored, strict=True):
            if not future.done():  # else the caller gave up meanwhile
                future.set_result(each)

    async def _call(self, requests: list[KeyRequest]) -> list[StoredKey]:
        rows = await self._pool.fetch(
            self._statement,
            [request.case for request in requests],
            [request.person for request in requests],
            [request.data_class.value for request in requests],
            [request.key_id for request in requests],
            [request.wrapped for request in requests],
        )
        return [StoredKey(row["key_id"], row["wrapped"]) for row in rows]

"""Making keys: many tasks' offers in one statement, one in flight at a time, since each statement waits for the disk once."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

import asyncpg

from caselog.away import is_away
from schemas.sealing import DataClass

OFFERS_PER_BATCH: Final = 300


@dataclass(frozen=True, slots=True)
class Offer:
    """A key that is made for (case, person, class) unless there is one."""

    case: str
    person: str
    data_class: DataClass
    key_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """The key that stands in the vault; `wrapped` is None when it was destroyed."""

    key_id: str
    wrapped: bytes | None


class Offers:
    """Takes offers of many tasks and answers each when its key is durable. A refused one fails alone."""

    def __init__(self, pool: asyncpg.Pool, statement: str) -> None:
        self._pool, self._statement = pool, statement
        self._waiting: deque[tuple[Offer, asyncio.Future[Kept]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def make(self, offer: Offer) -> Kept:
        """The key of the offer's (case, person, class), durable. Raises what PostgreSQL raised for this offer."""
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((offer, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="vault-offers")
        return await future

    async def _send(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(OFFERS_PER_BATCH, len(self._waiting)))]
            await self._deliver([each for each in taken if not each[1].done()])

    async def _deliver(self, batch: list[tuple[Offer, asyncio.Future[Kept]]]) -> None:
        try:
            kept = await self._call([offer for offer, _ in batch])
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits, and the next batch must still be sent
            if len(batch) == 1 or is_away(error):
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for one in batch:  # a class that this service may not open must fail alone
                    await self._deliver([one])
            return
        for (_, future), each in zip(batch, kept, strict=True):
            if not future.done():  # else the caller gave up meanwhile
                future.set_result(each)

    async def _call(self, offers: list[Offer]) -> list[Kept]:
        rows = await self._pool.fetch(
            self._statement,
            [offer.case for offer in offers],
            [offer.person for offer in offers],
            [offer.data_class.value for offer in offers],
            [offer.key_id for offer in offers],
            [offer.wrapped for offer in offers],
        )
        return [Kept(row["key_id"], row["wrapped"]) for row in rows]

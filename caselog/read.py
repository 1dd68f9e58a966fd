"""Reading the log: a stream, a shard after a position, the heads; as of a position, a version or a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from caselog.chain import ZERO_LINK
from caselog.db.pool import create_pool
from caselog.db.queries import Queries
from schemas.envelope import SHARDS, Position, RecordedFact, shard_of
from schemas.envelope.fact import StreamKind

SQL_DIRECTORY: Final = Path(__file__).parent / "sql"
PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """The id of the log, and its current epoch."""

    log_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Head:
    """The last fact of a shard; seq 0 and a zero link while it is empty."""

    seq: int
    link: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stream as a decision sees it."""

    facts: tuple[RecordedFact, ...]
    version: int
    at: datetime
    """The database's time, and never before the last fact: what `decide` is given, so that no server's own clock decides."""


class LogReader:
    """Queries over the log, on a pool of a reader role (it may only select)."""

    def __init__(self, create_pool: asyncpg.Pool) -> None:
        self._pool = create_pool
        self._sql = Queries.load(SQL_DIRECTORY / "queries.sql")
        self._identity: LogIdentity | None = None

    async def identity(self) -> LogIdentity:
        """The log's id and epoch; asked once, since both change only by a restore, which restarts every reader."""
        if self._identity is None:
            row = await self._pool.fetchrow(self._sql.identity)
            self._identity = LogIdentity(str(row["log_id"]), row["epoch"])
        return self._identity

    async def load(self, stream: str) -> Loaded:
        """The whole stream, its version (0 when there is none) and the database's time after the read.

        A clock that was turned back does not turn a case back: what is decided on its facts is decided after them.
        """
        facts = await self.stream(stream)
        at = await self.now()
        return Loaded(facts, facts[-1].version, max(at, facts[-1].recorded_at)) if facts else Loaded(facts, 0, at)

    async def now(self) -> datetime:
        """The database's time."""
        at: datetime = await self._pool.fetchval(self._sql.at_time)
        return at

    async def stream(
        self,
        stream: str,
        *,
        until_version: int | None = None,
        until_position: Position | None = None,
        until_time: datetime | None = None,
    ) -> tuple[RecordedFact, ...]:
        """The facts of `stream` in order; with an `until`, the stream as it was then (inclusive).

        Raises ValueError when `until_position` lies in another shard: there is no order between shards.
        """
        shard = shard_of(stream)
        if until_position is not None and until_position.shard != shard:
            raise ValueError("the position lies in another shard than the stream")
        found: list[RecordedFact] = []
        async for fact in self._pages(stream, shard):
            if until_version is not None and fact.version > until_version:
                break
            if until_position is not None and fact.seq > until_position.seq:
                break
            if until_time is not None and fact.recorded_at > until_time:
                break
            found.append(fact)
        return tuple(found)

    async def _pages(self, stream: str, shard: int) -> AsyncIterator[RecordedFact]:
        version = 0
        while rows := await self._pool.fetch(self._sql.stream, shard, stream, version, PAGE):
            log_id = (await self.identity()).log_id
            for row in rows:
                yield recorded(row, log_id)
            version = rows[-1]["version"]
            if len(rows) < PAGE:
                return

    async def streams(self, kind: StreamKind) -> list[str]:
        """The names of all streams of a kind of which there are few: offices, agencies, staff; not cases."""
        return [row["stream"] for row in await self._pool.fetch(self._sql.streams, kind.value)]

    async def shard(self, shard: int, after_seq: int, limit: int = PAGE) -> list[RecordedFact]:
        """At most `limit` facts of a shard after `after_seq`, in order."""
        log_id = (await self.identity()).log_id
        return [recorded(row, log_id) for row in await self._pool.fetch(self._sql.shard, shard, after_seq, limit)]

    async def following(self, marks: Mapping[int, int], limit: int) -> list[RecordedFact]:
        """At most `limit` facts of each shard after its mark (shard -> seq, 0: from the first), each shard in order."""
        log_id = (await self.identity()).log_id
        rows = await self._pool.fetch(self._sql.following, list(marks), list(marks.values()), limit)
        return [recorded(row, log_id) for row in rows]

    async def at(self, position: Position) -> RecordedFact | None:
        """The fact at a position, or None."""
        row = await self._pool.fetchrow(self._sql.at_position, position.shard, position.seq)
        return None if row is None else recorded(row, (await self.identity()).log_id)

    async def command(self, stream: str, command: bytes) -> tuple[RecordedFact, ...]:
        """The facts that the command appended to `stream`; empty when it never was: the probe of the agenda."""
        log_id = (await self.identity()).log_id
        rows = await self._pool.fetch(self._sql.command, shard_of(stream), command)
        return tuple(recorded(row, log_id) for row in rows if row["stream"] == stream)

    async def heads(self) -> dict[int, Head]:
        """The head of each of the 64 shards."""
        epoch = (await self.identity()).epoch
        heads = {shard: Head(0, ZERO_LINK, epoch) for shard in range(SHARDS)}
        for row in await self._pool.fetch(self._sql.heads):
            heads[row["shard"]] = Head(row["seq"], row["link"], row["epoch"])
        return heads


def recorded(row: asyncpg.Record, log_id: str) -> RecordedFact:
    """A row as queries.sql gives it: the columns in the order of Recorded's fields, `log_id` before them."""
    return RecordedFact(log_id, *row)


@asynccontextmanager
async def reading(connect_args: dict[str, Any]) -> AsyncIterator[LogReader]:
    """A reader over a small pool of its own, for a command that reads and ends; `connect_args` are asyncpg's."""
    async with create_pool(connect_args, min_size=1, max_size=2) as db:
        yield LogReader(db)

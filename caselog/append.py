"""Appending: group commit, one batch in flight, an outcome for each command (design.md section 3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from caselog.db.errors import CONNECTION_LOST, EXHAUSTED, TRANSIENT
from caselog.db.pool import STATEMENT_SECONDS
from caselog.db.queries import Queries
from caselog.outcomes import Appended, AppendRequest, Conflict, EventPosition, Outcome, Refused, Repeated
from caselog.read import SQL_DIRECTORY
from schemas.envelope import Position, shard_of

COMMANDS_PER_BATCH: Final = 100
WAITING_LIMIT: Final = 1_000
"""Longest queue of waiting commands: a moment's work for a healthy log, and all that a frozen one may hold back."""
PATIENCE_SECONDS: Final = 10.0
RECONNECT_SECONDS: Final = 0.1

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class LogUnavailable(Exception):
    """The log did not answer in time. The command may or may not be durable; sending it again is safe and tells which."""


class NotTaken(LogUnavailable):
    """The log cannot accept the command now (queue full, disk full, shard locked); this call appended nothing."""


class AppendFailed(Exception):
    """PostgreSQL rejected this one command, with a SQLSTATE; none of its facts was appended."""


@dataclass(slots=True)
class _Waiting:
    """A queued command, and the future of its outcome."""

    command: AppendRequest
    outcome: asyncio.Future[Outcome]
    sent: bool = False
    """Whether a batch with it lost its reply: it may be durable, so it must not be reported as having no effect."""


class Appender:
    """Appends commands of many tasks over one connection, one batch in flight at a time.

    Nothing is lost by a cut connection: the batch is sent again on a new one, and a command that was durable already
    answers `Repeated`. A caller that gave up has its command sent all the same when it is already under way.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._sql = Queries.load(SQL_DIRECTORY / "queries.sql")
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._connection: asyncpg.Connection | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls, connect: Connect) -> AsyncIterator[Appender]:
        """An appender whose sending task lives as long as the block; commands still queued at its end fail with an error."""
        appender = cls(connect)
        sender = asyncio.create_task(appender._send_for_ever(), name="caselog-append")
        try:
            yield appender
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            appender._fail_waiting(LogUnavailable("the appender was stopped"))
            if appender._connection is not None:
                await appender._connection.close(timeout=1)

    async def append(self, command: AppendRequest, *, patience: float = PATIENCE_SECONDS) -> Outcome:
        """Append one command and return its outcome.

        `patience` is in seconds. Raises LogUnavailable when the log did not answer by then, NotTaken when it cannot take the
        command now, at once when WAITING_LIMIT commands wait; AppendFailed when PostgreSQL raised for this command alone.
        """
        if len(self._waiting) >= WAITING_LIMIT:
            raise NotTaken("too many commands wait")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, future))
        self._wake.set()
        try:
            async with asyncio.timeout(patience):
                return await future
        except TimeoutError:
            raise LogUnavailable("the log did not answer in time") from None

    async def _send_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                continue
            await self._deliver(batch)

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < COMMANDS_PER_BATCH:
            each = self._waiting.popleft()
            if not each.outcome.done():
                batch.append(each)
        return batch

    async def _deliver(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = await self._call([each.command for each in batch])
        except (asyncpg.PostgresError, *TRANSIENT) as error:
            if self._is_lost(error):
                await self._send_again(batch)
            elif isinstance(error, EXHAUSTED):
                await self._give_back(batch, error)
            elif len(batch) == 1:
                # Only the SQLSTATE: the server's message may repeat the parameters.
                _resolve(batch[0], AppendFailed(getattr(error, "sqlstate", None) or type(error).__name__))
            else:
                for one in batch:  # a poison command must fail alone
                    await self._deliver([one])
            return
        for each, outcome in zip(batch, outcomes, strict=True):
            _resolve(each, outcome)

    async def _send_again(self, batch: list[_Waiting]) -> None:
        """Send the same commands again, before any newer one: the reply was lost, the commit perhaps not."""
        self._drop_connection()
        for each in batch:
            each.sent = True
        self._waiting.extendleft(reversed(batch))
        await asyncio.sleep(RECONNECT_SECONDS)

    async def _give_back(self, batch: list[_Waiting], error: Exception) -> None:
        """Report that the log cannot take the batch now. A locked shard must not refuse the commands of the other shards."""
        shards: dict[int, list[_Waiting]] = {}
        for each in batch:
            shards.setdefault(shard_of(each.command.stream), []).append(each)
        if len(shards) > 1 and isinstance(error, asyncpg.LockNotAvailableError):
            for part in shards.values():
                await self._deliver(part)
            return
        for each in batch:
            told = type(error).__name__
            _resolve(each, LogUnavailable(told) if each.sent else NotTaken(told))

    async def _call(self, commands: Sequence[AppendRequest]) -> list[Outcome]:
        if self._connection is None or self._connection.is_closed():
            async with asyncio.timeout(STATEMENT_SECONDS):  # a half-open server must not hold the batch
                self._connection = await self._connect()
        rows = await self._connection.fetch(self._sql.append, *columns(commands), timeout=STATEMENT_SECONDS)
        return [_outcome(row) for row in rows]

    def _is_lost(self, error: Exception) -> bool:
        """Whether the connection failed rather than the batch (an InterfaceError alone does not tell)."""
        lost = isinstance(error, CONNECTION_LOST) and not isinstance(error, asyncpg.InterfaceError)
        return lost or self._connection is None or self._connection.is_closed()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            _resolve(self._waiting.popleft(), error)


def _resolve(waiting: _Waiting, result: Outcome | Exception) -> None:
    if waiting.outcome.done():  # the caller gave up meanwhile
        return
    if isinstance(result, Exception):
        waiting.outcome.set_exception(result)
    else:
        waiting.outcome.set_result(result)


def columns(commands: Sequence[AppendRequest]) -> tuple[list[Any], ...]:
    """The arguments of log.append, by columns."""
    facts = [fact for command in commands for fact in command.facts]
    return (
        [command.stream for command in commands],
        [command.expected for command in commands],
        [command.command_id for command in commands],
        [command.request_hmac for command in commands],
        [command.actor for command in commands],
        [command.cause for command in commands],
        [command.meta for command in commands],
        [len(command.facts) for command in commands],
        [fact.type for fact in facts],
        [fact.type_version for fact in facts],
        [fact.body for fact in facts],
    )


def _outcome(row: asyncpg.Record) -> Outcome:
    match row["outcome"]:
        case "conflict":
            return Conflict(row["actual"])
        case "refused":
            return Refused(row["reason"])
        case "appended" | "repeated" as outcome:
            events = tuple(
                EventPosition(Position(row["shard"], row["first_seq"] + n), row["first_version"] + n, link)
                for n, link in enumerate(row["links"])
            )
            made = Appended if outcome == "appended" else Repeated
            return made(events, row["recorded_at"], str(row["log_id"]), row["epoch"])
        case other:
            raise AssertionError(f"the append function answered {other!r}")

"""Appending: group commit, one batch in flight, an outcome for each command (design.md section 3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from caselog.away import AWAY
from caselog.outcomes import Append, Appended, Conflict, Outcome, Placed, Refused, Repeated
from caselog.queries import Queries
from caselog.read import SQL_DIRECTORY
from schemas.envelope import Position

COMMANDS_PER_BATCH: Final = 100
STATEMENT_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 10.0
RECONNECT_SECONDS: Final = 0.1

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class LogUnavailable(Exception):
    """The log did not answer in time. The command may or may not be durable: sending it again is safe and tells."""


class AppendFailed(Exception):
    """PostgreSQL refused this command alone, with a SQLSTATE; nothing of it was appended."""


class Appender:
    """Appends commands of many tasks over one connection, one batch in flight at a time.

    Nothing is lost by a cut connection: the batch is sent again on a new one, and a command that was durable already
    answers `Repeated`. A caller that gave up has its command sent all the same when it is already under way.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._sql = Queries.load(SQL_DIRECTORY / "queries.sql")
        self._waiting: deque[tuple[Append, asyncio.Future[Outcome]]] = deque()
        self._wake = asyncio.Event()
        self._connection: asyncpg.Connection | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls, connect: Connect) -> AsyncIterator[Appender]:
        """An appender whose sending task lives as long as the block; commands still waiting at its end fail clearly."""
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

    async def append(self, command: Append, *, patience: float = PATIENCE_SECONDS) -> Outcome:
        """Append one command and answer what became of it.

        `patience` is in seconds. Raises LogUnavailable when the log did not answer by then, AppendFailed when PostgreSQL
        raised for this command alone.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
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

    def _next_batch(self) -> list[tuple[Append, asyncio.Future[Outcome]]]:
        batch: list[tuple[Append, asyncio.Future[Outcome]]] = []
        while self._waiting and len(batch) < COMMANDS_PER_BATCH:
            command, future = self._waiting.popleft()
            if not future.done():
                batch.append((command, future))
        return batch

    async def _deliver(self, batch: list[tuple[Append, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._call([command for command, _ in batch])
        except (asyncpg.PostgresError, *AWAY) as error:
            if self._is_lost(error):
                # The reply was lost, the commit perhaps not: the same commands again, before any newer one.
                self._drop_connection()
                self._waiting.extendleft(reversed(batch))
                await asyncio.sleep(RECONNECT_SECONDS)
            elif len(batch) == 1:
                # Only the SQLSTATE: the server's message may repeat the parameters.
                _resolve(batch[0][1], AppendFailed(getattr(error, "sqlstate", None) or type(error).__name__))
            else:
                for one in batch:  # a poison command must fail alone
                    await self._deliver([one])
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            _resolve(future, outcome)

    async def _call(self, commands: Sequence[Append]) -> list[Outcome]:
        if self._connection is None or self._connection.is_closed():
            async with asyncio.timeout(STATEMENT_SECONDS):  # a half-open server must not hold the batch
                self._connection = await self._connect()
        rows = await self._connection.fetch(self._sql.append, *_columns(commands), timeout=STATEMENT_SECONDS)
        return [_outcome(row) for row in rows]

    def _is_lost(self, error: Exception) -> bool:
        """Whether the connection, not the batch, was at fault (an InterfaceError alone does not tell)."""
        lost = isinstance(error, AWAY) and not isinstance(error, asyncpg.InterfaceError)
        return lost or self._connection is None or self._connection.is_closed()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            _resolve(self._waiting.popleft()[1], error)


def _resolve(future: asyncio.Future[Outcome], result: Outcome | Exception) -> None:
    if future.done():  # the caller gave up meanwhile
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _columns(commands: Sequence[Append]) -> tuple[list[Any], ...]:
    facts = [fact for command in commands for fact in command.facts]
    return (
        [command.stream for command in commands],
        [command.expected for command in commands],
        [command.command for command in commands],
        [command.request for command in commands],
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
            placed = tuple(
                Placed(Position(row["shard"], row["first_seq"] + n), row["first_version"] + n, link)
                for n, link in enumerate(row["links"])
            )
            made = Appended if outcome == "appended" else Repeated
            return made(placed, row["recorded_at"], str(row["log_id"]), row["epoch"])
        case other:
            raise AssertionError(f"the append function answered {other!r}")

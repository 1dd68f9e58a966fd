"""Pools of connections to PostgreSQL in which every wait ends: a frozen server must not hold a page, a worker or a pool.

asyncpg's own pool waits for ever for a free connection, for an answer, for a connection's reset and for its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

import asyncpg

from caselog.db.errors import TRANSIENT

CONNECT_SECONDS: Final = 10.0
"""For the connections that a starting process opens; whoever needs one later waits ACQUIRE_SECONDS."""
ACQUIRE_SECONDS: Final = 3.0
STATEMENT_SECONDS: Final = 5.0
RELEASE_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 2.0
READY_SECONDS: Final = 1.0
_USES: Final = 50_000
_IDLE_SECONDS: Final = 300.0


class Pool(asyncpg.Pool):  # type: ignore[misc]
    """asyncpg's pool with a deadline on every wait."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        """A connection, in ACQUIRE_SECONDS or never: who waits longer would only make the crowd larger."""
        return super().acquire(timeout=ACQUIRE_SECONDS if timeout is None else timeout)

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Take a connection back; one that cannot be reset in RELEASE_SECONDS is ended instead."""
        await super().release(connection, timeout=RELEASE_SECONDS if timeout is None else timeout)

    async def close(self) -> None:
        """End every connection; what does not end in CLOSE_SECONDS is cut, since a frozen server would hold our own end."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await super().close()
        except TimeoutError:
            self.terminate()


async def _left_as_it_was(_connection: object) -> None:
    """Nothing: asyncpg itself has rolled back what was open; its four statements would be a second round trip each time."""


def create_pool(connect_args: dict[str, Any], *, min_size: int, max_size: int, keeps_state: bool = False) -> Pool:
    """A pool, to be entered with `async with`. `connect_args`: asyncpg's connection arguments.

    `keeps_state`: whoever takes a connection changes its session (a setting, an advisory lock, LISTEN), which must be reset
    before another one has it.
    """
    return Pool(
        **connect_args,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        max_queries=_USES,
        max_inactive_connection_lifetime=_IDLE_SECONDS,
        reset=None if keeps_state else _left_as_it_was,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
    )


async def answers(question: Awaitable[object]) -> bool:
    """Whether the database answers `question` in READY_SECONDS: whoever watches over a process asks often and waits little."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await question
    except (asyncpg.PostgresError, *TRANSIENT):
        return False
    return True

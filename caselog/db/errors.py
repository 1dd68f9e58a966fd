"""Whether PostgreSQL, and not what was asked of it, was at fault."""

from __future__ import annotations

from typing import Final

import asyncpg

CONNECTION_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # A server that is killed in the middle of an answer leaves the driver in a state that it calls an internal error.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What the driver raises when the server went away under it: what was asked may have been done or not."""

EXHAUSTED: Final = (
    asyncpg.InsufficientResourcesError,  # a full disk, no memory, no connection left
    asyncpg.PostgresSystemError,  # a disk that cannot be read or written
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,  # the server chose this one to give way: a case that met another is no faulty case
)
"""What the server answers when it cannot do now what it could do otherwise: nothing was done."""

TRANSIENT: Final = (*CONNECTION_LOST, *EXHAUSTED)
"""Whoever meets one of these waits and asks again; nobody parks, halts or refuses for good because of it."""


def is_transient(error: BaseException) -> bool:
    """Whether `error` says that the server is away; a value that cannot be encoded is an InterfaceError too, and is not."""
    return isinstance(error, TRANSIENT) and not isinstance(error, ValueError)

"""Telling faults of PostgreSQL itself from faults in what it was asked to do."""

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
"""What the driver raises when it loses the server: the statement may or may not have taken effect."""

EXHAUSTED: Final = (
    asyncpg.InsufficientResourcesError,  # a full disk, no memory, no connection left
    asyncpg.PostgresSystemError,  # a disk that cannot be read or written
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,  # the server chose this one to give way: a case that met another is no faulty case
)
"""What the server answers when it is short of a resource for now: nothing took effect."""

TRANSIENT: Final = (*CONNECTION_LOST, *EXHAUSTED)
"""Errors that pass: callers wait and retry, and never park, halt or refuse permanently because of one."""


def is_transient(error: BaseException) -> bool:
    """Whether `error` says that the server is away; a value that cannot be encoded is an InterfaceError too, and is not."""
    return isinstance(error, TRANSIENT) and not isinstance(error, ValueError)

"""Whether PostgreSQL, and not what was asked of it, was at fault."""

from __future__ import annotations

from typing import Final

import asyncpg

AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # A server that is killed in the middle of an answer leaves the driver in a state that it calls an internal error.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What the driver raises when the server went away under it."""


def is_away(error: BaseException) -> bool:
    """Whether `error` says that the server is away; a value that cannot be encoded is an InterfaceError too, and is not."""
    return isinstance(error, AWAY) and not isinstance(error, ValueError)

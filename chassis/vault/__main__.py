"""`python -m chassis.vault migrate`: the vault's own database."""

from __future__ import annotations

import asyncio
import sys

import asyncpg

from caselog.migrations import migrate
from chassis.settings import Ground
from chassis.vault.vault import MIGRATIONS


async def _migrate(ground: Ground) -> None:
    connection = await asyncpg.connect(**ground.as_owner("vault"))
    try:
        await migrate(connection, "vault", MIGRATIONS)
    finally:
        await connection.close()


def main(arguments: list[str]) -> int:
    """Run one command."""
    if arguments != ["migrate"]:
        print("usage: python -m chassis.vault migrate", file=sys.stderr)
        return 2
    asyncio.run(_migrate(Ground()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

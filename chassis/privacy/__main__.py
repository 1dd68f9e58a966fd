"""`python -m chassis.privacy migrate`: the vault's own database."""

from __future__ import annotations

import asyncio
import sys

import asyncpg

from caselog.db.migrate import migrate
from chassis.privacy.vault import MIGRATIONS
from chassis.settings import Settings


async def _migrate(settings: Settings) -> None:
    connection = await asyncpg.connect(**settings.as_owner("vault"))
    try:
        await migrate(connection, "vault", MIGRATIONS)
    finally:
        await connection.close()


def main(arguments: list[str]) -> int:
    """Run one command."""
    if arguments != ["migrate"]:
        sys.stderr.write("usage: python -m chassis.privacy migrate\n")
        return 2
    asyncio.run(_migrate(Settings()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m chassis.privacy`: the vault's own database."""

from __future__ import annotations

import sys

import asyncpg

from caselog.db.migrate import migrate
from chassis.privacy.vault import MIGRATIONS
from chassis.settings import Settings, Unset
from schemas.command_line import command_line, run

app = command_line("The vault's own database.")


@app.command("migrate")
async def migrate_tables() -> None:
    """Set up or bring forward the vault's tables (as the owner: PARVANDEH_OWNER_PASSWORD)."""
    connection = await asyncpg.connect(**Settings.from_environment().as_owner("vault"))
    try:
        await migrate(connection, "vault", MIGRATIONS)
    finally:
        await connection.close()


def main(arguments: list[str]) -> int:
    """The exit code of one command; 2 with one sentence when a setting is missing."""
    try:
        return run(app, "python -m chassis.privacy", arguments)
    except Unset as missing:
        sys.stderr.write(f"the vault is not migrated: {missing}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

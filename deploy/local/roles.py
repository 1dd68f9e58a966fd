"""The login roles and databases: one password per role, and only the named roles may connect to a database."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg

from caselog.db.queries import Queries

SERVICES: Final = ("intake", "review", "inquiry", "notify")
READERS: Final = (
    "intake_reader",
    "review_reader",
    "inquiry_reader",
    "notify_reader",
    "audit_reader",
    "relay_reader",
    "witness_reader",
)
ROLES: Final = (*SERVICES, "audit", "relay", *READERS)
DATABASES: Final = MappingProxyType(
    {
        "caselog": (*SERVICES, *READERS),
        "vault": SERVICES,
        "relay": ("relay",),
        "audit": ("audit",),
        **{service: (service,) for service in SERVICES},
    }
)
"""Database -> the roles that may connect to it. All are owned by `owner`."""

SERVERS_OWN: Final = ("postgres", "template1")
"""The default databases of every server are open to all its roles: a role could leave things there for others, unseen."""


def passwords(path: Path) -> dict[str, str]:
    """The password of each role, generated once and kept in a private file."""
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    made = {role: secrets.token_urlsafe(24) for role in ROLES}
    part = path.with_suffix(".part")  # renamed when whole: a half-written file would lock every role out
    part.touch(mode=0o600)
    part.write_text(json.dumps(made))
    part.rename(path)
    return made


async def ensure(connection: asyncpg.Connection, role_passwords: dict[str, str], *, prefix: str = "") -> None:
    """Create missing roles and databases (names prefixed); idempotent."""
    sql = Queries.load(Path(__file__).with_name("roles.sql"))
    for role in ROLES:
        known = await connection.fetchval(sql.role_exists, role)
        statement = await connection.fetchval(sql.set_password if known else sql.create_role, role, role_passwords[role])
        await connection.execute(statement)
        await connection.execute(await connection.fetchval(sql.set_timeouts, role))
    for database in SERVERS_OWN:
        await connection.execute(await connection.fetchval(sql.close_database, database))
    for database, allowed in DATABASES.items():
        name = prefix + database
        if not await connection.fetchval(sql.database_exists, name):
            await connection.execute(await connection.fetchval(sql.create_database, name))
        await connection.execute(await connection.fetchval(sql.close_database, name))
        for role in allowed:
            await connection.execute(await connection.fetchval(sql.allow_connect, name, role))


async def drop_databases(connection: asyncpg.Connection, *, prefix: str) -> None:
    """Drop the prefixed databases of a test; refuses an empty prefix, which would drop the real ones."""
    if not prefix:
        raise ValueError("only prefixed databases are dropped")
    sql = Queries.load(Path(__file__).with_name("roles.sql"))
    for database in DATABASES:
        await connection.execute(await connection.fetchval(sql.drop_database, prefix + database))

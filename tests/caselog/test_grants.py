"""What each role tries and may not do (docs/design.md section 3, Roles)."""

from __future__ import annotations

import asyncpg
import pytest

from deploy.local.roles import DATABASES, READERS, ROLES, SERVICES
from tests.caselog.commands import a_command
from tests.databases import Databases

FORBIDDEN = (
    "INSERT INTO log.facts DEFAULT VALUES",
    "UPDATE log.facts SET actor = 'x'",
    "DELETE FROM log.facts",
    "TRUNCATE log.facts",
    "DROP TABLE log.facts",
    "ALTER TABLE log.facts DISABLE TRIGGER ALL",
    "UPDATE log.fact_types SET writer = 'intake'",
    "INSERT INTO log.fact_types VALUES ('x', 'intake', 'case')",
    "UPDATE log.identity SET epoch = 9",
    "CREATE TABLE log.mine (x int)",
    "CREATE FUNCTION log.shard_of(x int) RETURNS int LANGUAGE sql RETURN 1",
    "SET ROLE owner",
    "SET SESSION AUTHORIZATION owner",
)


@pytest.mark.parametrize("role", [*SERVICES, *READERS])
async def test_no_role_of_the_application_can_change_what_is_written(databases: Databases, role: str) -> None:
    async with databases.appender() as appender:
        await appender.append(a_command("case:g", "one"))
    connection = await databases.connect("caselog", role)
    try:
        for statement in FORBIDDEN:
            with pytest.raises(asyncpg.PostgresError) as refused:
                await connection.execute(statement)
            assert refused.value.sqlstate == "42501", statement
    finally:
        await connection.close()


@pytest.mark.parametrize("role", SERVICES)
async def test_a_writer_cannot_read_the_log_and_a_reader_cannot_append(databases: Databases, role: str) -> None:
    writer = await databases.connect("caselog", role)
    reader = await databases.connect("caselog", f"{role}_reader")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.fetch("SELECT * FROM log.facts")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch("SELECT log.append('{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}')")
        assert await reader.fetch("SELECT * FROM log.facts") == []
    finally:
        await writer.close()
        await reader.close()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_connects_only_to_its_own_databases(databases: Databases, role: str) -> None:
    for database, allowed in DATABASES.items():
        if role in allowed:
            await (await databases.connect(database, role)).close()
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await databases.connect(database, role)


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_of_the_application_owns_anything_or_is_privileged(databases: Databases, role: str) -> None:
    connection = await databases.connect("caselog", "owner")
    try:
        owned = await connection.fetchval(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = $1", role
        )
        flags = await connection.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = $1", role
        )
    finally:
        await connection.close()
    assert owned == 0
    assert not any(flags)


async def test_another_roles_password_is_refused(databases: Databases) -> None:
    arguments = databases.where("caselog", "intake") | {"password": databases.passwords["review"]}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(**arguments)

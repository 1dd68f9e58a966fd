"""The embedded PostgreSQL: passwords are asked, and a kill loses nothing."""

from __future__ import annotations

import asyncpg
import pytest

from caselog.outcomes import Appended
from deploy.local.postgres import OWNER
from tests.caselog.commands import a_command
from tests.databases import Databases


async def test_a_killed_postgres_comes_back_with_all_that_was_acknowledged(databases: Databases) -> None:
    async with databases.appender() as appender:
        acknowledged = await appender.append(a_command("case:k", "before"))
        databases.server.kill()
        databases.server.start(databases.server.port)
        after = await appender.append(a_command("case:k", "after"))
    async with databases.reader() as reader:
        facts = await reader.stream("case:k")
    assert isinstance(acknowledged, Appended)
    assert isinstance(after, Appended)
    assert [fact.position for fact in facts] == [acknowledged.events[0].position, after.events[0].position]


async def test_a_wrong_password_and_no_password_are_refused(databases: Databases) -> None:
    for role in (OWNER, "intake"):
        for password in ("wrong", ""):
            with pytest.raises(asyncpg.PostgresError):
                await asyncpg.connect(**databases.where("caselog", role) | {"password": password})


async def test_commits_are_durable_and_pages_are_checked(databases: Databases) -> None:
    connection = await databases.connect("caselog", OWNER)
    try:
        settings = {name: await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "data_checksums")}
        version = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    assert settings == {"fsync": "on", "synchronous_commit": "on", "data_checksums": "on"}
    assert version.startswith("18.")

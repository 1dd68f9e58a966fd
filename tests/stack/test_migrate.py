"""One process migrates every database, each module by the command that production gives it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.local import roles
from deploy.local.postgres import OWNER, Postgres
from deploy.local.processes import MIGRATIONS
from tests.conftest import ROOT
from tests.databases import Databases

OWN_TABLES = {
    "caselog": "log.facts", "vault": "vault.keys", "relay": "relay_marks", "intake": "notices", "review": "reviewers",
    "inquiry": "inquiries", "notify": "messages", "audit": "cases",
}  # fmt: skip
"""A table of each database that only its own migration makes."""


@pytest.fixture
async def unmigrated(postgres: Postgres, passwords: dict[str, str]) -> AsyncIterator[Databases]:
    """Databases in which nothing stands yet."""
    found = Databases(postgres, passwords, "unmigrated_")
    owner = await found.connect("postgres", OWNER)
    await roles.ensure(owner, passwords, prefix=found.prefix)
    yield found
    await roles.drop_databases(owner, prefix=found.prefix)
    await owner.close()


def migrated(databases: Databases, owner_password: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PARVANDEH_DATABASE_URL": f"postgresql://127.0.0.1:{databases.server.port}",
        "PARVANDEH_DATABASE_PREFIX": databases.prefix,
        "PARVANDEH_OWNER_PASSWORD": owner_password,
    }
    return subprocess.run(
        [sys.executable, "-m", "deploy.local.migrate"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


async def test_one_process_migrates_all_and_a_second_time_changes_nothing(unmigrated: Databases) -> None:
    for said in ("migrations applied", "up to date"):
        done = migrated(unmigrated, unmigrated.server.owner_password)
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout
        for database, table in OWN_TABLES.items():
            connection: asyncpg.Connection = await unmigrated.connect(database, OWNER)
            try:
                assert await connection.fetchval("SELECT to_regclass($1)", table), f"{database} has no {table}"
            finally:
                await connection.close()


def test_a_module_that_cannot_be_migrated_is_named_and_the_rest_is_left(unmigrated: Databases) -> None:
    done = migrated(unmigrated, "wrong")
    assert done.returncode == 1
    assert f"{MIGRATIONS[0]} could not be migrated" in done.stderr

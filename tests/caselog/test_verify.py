"""A superuser edits, deletes, inserts, reorders: verify names the position and the kind of damage."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from caselog.__main__ import check_shard
from caselog.verify import Clean, Damage, Finding, ShardCheck
from schemas.envelope import Position, shard_of
from tests.caselog.commands import a_command
from tests.databases import Databases

STREAM = "case:tampered"
SHARD = shard_of(STREAM)
RENUMBER = """
BEGIN; SET session_replication_role = replica;
ALTER TABLE log.facts DROP CONSTRAINT facts_pkey; DROP INDEX log.facts_by_stream; DROP INDEX log.facts_by_command;
{change};
COMMIT"""


@pytest.fixture
async def superuser(databases: Databases) -> AsyncIterator[asyncpg.Connection]:
    async with databases.appender() as appender:
        for n in range(9):
            await appender.append(a_command(STREAM, f"{n}"))
    connection = await databases.connect("caselog", "owner")
    yield connection
    await connection.close()


async def _verdict(databases: Databases) -> Clean | Finding:
    async with databases.reader() as reader:
        result = await check_shard(reader, SHARD)
    return result.clean() if isinstance(result, ShardCheck) else result


async def test_an_untouched_shard_is_clean(databases: Databases, superuser: asyncpg.Connection) -> None:
    verdict = await _verdict(databases)
    assert isinstance(verdict, Clean)
    assert verdict.facts == 9


@pytest.mark.parametrize(
    ("change", "seq", "damage"),
    [
        ('UPDATE log.facts SET body = \'{"reason":"bribe"}\' WHERE seq = 5', 5, Damage.EDITED),
        ("UPDATE log.facts SET actor = 'citizen:other' WHERE seq = 9", 9, Damage.EDITED),
        ("UPDATE log.facts SET recorded_at = recorded_at - interval '1 day' WHERE seq = 4", 4, Damage.EDITED),
        ("UPDATE log.facts SET meta = '{}' WHERE seq = 1", 1, Damage.EDITED),
        ("DELETE FROM log.facts WHERE seq = 3", 4, Damage.DELETED),
        ("DELETE FROM log.facts WHERE seq = 1", 2, Damage.DELETED),
        ("DELETE FROM log.facts WHERE seq = 3; UPDATE log.facts SET seq = seq - 1 WHERE seq > 3", 3, Damage.DELETED),
        ("UPDATE log.facts SET seq = 13 - seq WHERE seq IN (6, 7)", 6, Damage.REORDERED),
        (
            "UPDATE log.facts SET seq = seq + 1 WHERE seq >= 5;"
            "INSERT INTO log.facts SELECT (f).* FROM (SELECT f FROM log.facts f WHERE seq = 4) x;"
            "UPDATE log.facts SET seq = 5, link = sha256('forged') WHERE ctid = (SELECT max(ctid) FROM log.facts)",
            5,
            Damage.INSERTED,
        ),
    ],
)
async def test_a_change_by_a_superuser_is_named(
    databases: Databases, superuser: asyncpg.Connection, change: str, seq: int, damage: Damage
) -> None:
    await superuser.execute(RENUMBER.format(change=change))
    verdict = await _verdict(databases)
    assert isinstance(verdict, Finding)
    assert (verdict.position, verdict.damage) == (Position(SHARD, seq), damage)


async def test_the_command_line_names_the_damage_and_shows_the_timeline(
    databases: Databases, superuser: asyncpg.Connection
) -> None:
    environment = {
        "PARVANDEH_DATABASE_URL": f"postgresql://127.0.0.1:{databases.server.port}",
        "PARVANDEH_DATABASE_PREFIX": databases.prefix,
        "PARVANDEH_READER_PASSWORD": databases.passwords["audit_reader"],
    }
    assert await _run(environment, "verify") == (0, "clean, 9 facts good, 0 shards damaged")
    code, last = await _run(environment, "timeline", "tampered")
    assert (code, "The applicant withdrew the request" in last) == (0, True)
    assert (await _run(environment, "timeline", "unknown"))[0] == 1
    await superuser.execute("UPDATE log.facts SET actor = 'x' WHERE seq = 2")
    code, last = await _run(environment, "verify")
    assert (code, last) == (1, "DAMAGED, 0 facts good, 1 shards damaged")
    wrong = environment | {"PARVANDEH_READER_PASSWORD": "wrong"}
    assert (await _run(wrong, "verify"))[0] == 2


async def _run(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "caselog",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    last = output.decode().strip().splitlines()[-1] if output.strip() else ""
    return process.returncode or 0, last.split(": ", 1)[-1] if last.startswith("log ") else last

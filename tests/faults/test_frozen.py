"""A frozen database: every call ends in its time, the queue is bounded, nothing is lost, and all goes on after the thaw."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest

from caselog.append import WAITING_LIMIT, Appender, LogUnavailable, NotTaken
from caselog.db import pool as pool_module
from caselog.db.pool import CLOSE_SECONDS, create_pool
from caselog.outcomes import Appended, AppendRequest, Repeated
from schemas.envelope import shard_of
from tests.caselog.commands import a_command
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.faults.checker import Evidence, check
from tests.faults.effects import facts_of
from tests.faults.freezing import frozen
from tests.faults.proxy import LostReplies, asks_to_append, postgres_is_ready, proxy
from tests.faults.recorder import Recorder

SLOW_MACHINE = 3.0
"""Seconds that a loaded machine may add to a deadline; without the deadline the call would never end."""
APPEND_LOCK = 1347571286
"""The first key of the append's advisory locks (002_append.sql); the second is the shard."""


def pid_of(databases: Databases) -> int:
    assert databases.server._child is not None
    return databases.server._child.pid


async def test_beyond_the_limit_a_command_is_refused_at_once_and_has_no_effect(databases: Databases, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history")
    async with proxy(databases.server.port) as wire, databases.appender(port=wire.port) as appender:
        assert isinstance(await recorder.append(appender, a_command("case:q", "warm")), Appended)
        wire.freeze()
        first = asyncio.create_task(recorder.append(appender, a_command("case:q", "in flight"), patience=60))
        await wire.up.held.wait()
        waiting = [
            asyncio.create_task(recorder.append(appender, a_command(f"case:q{n % 40}", f"waits {n}"), patience=60))
            for n in range(WAITING_LIMIT)
        ]
        await asyncio.sleep(0)  # they stand in the queue after one turn of the loop
        beyond = asyncio.create_task(recorder.append(appender, a_command("case:q", "beyond"), patience=60))
        with pytest.raises(NotTaken):
            await asyncio.wait_for(beyond, 1)
        wire.thaw()
        outcomes = await asyncio.gather(first, *waiting)
        async with databases.reader() as log:
            facts = await facts_of(log)
    assert all(isinstance(outcome, Appended | Repeated) for outcome in outcomes)
    assert len(facts) == WAITING_LIMIT + 2
    assert check(Evidence(recorder.history(), facts)) == []


async def test_every_call_of_a_pool_ends_while_the_server_is_frozen_and_the_pool_is_whole_afterwards(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("ACQUIRE_SECONDS", 0.6), ("STATEMENT_SECONDS", 1.0), ("RELEASE_SECONDS", 0.4)):
        monkeypatch.setattr(pool_module, name, seconds)  # the rule is that they end; their figures would only make it longer
    took: list[float] = []

    async def ask(db: asyncpg.Pool) -> int:
        began = time.monotonic()
        try:
            found: int = await db.fetchval("SELECT 1")
            return found
        finally:
            took.append(time.monotonic() - began)

    async with create_pool(databases.where("caselog", "audit_reader"), min_size=1, max_size=2) as db:
        assert list(await asyncio.gather(ask(db), ask(db))) == [1, 1]
        took.clear()
        with frozen(pid_of(databases)):
            async with asyncio.timeout(12):
                ended = await asyncio.gather(*(ask(db) for _ in range(20)), return_exceptions=True)
        assert {type(each) for each in ended} == {TimeoutError}
        assert max(took) < 0.6 + 1.0 + 0.4 + SLOW_MACHINE

        async def whole() -> bool:
            async with db.acquire() as one, db.acquire() as other:
                return [await one.fetchval("SELECT 1"), await other.fetchval("SELECT 2")] == [1, 2]

        async def whole_again() -> bool:
            try:
                return await whole()
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False

        await eventually(whole_again)
        with frozen(pid_of(databases)):
            began = time.monotonic()
            await db.close()
        assert time.monotonic() - began < CLOSE_SECONDS + SLOW_MACHINE


async def test_a_frozen_log_is_said_in_time_and_what_was_unknown_is_there_once(databases: Databases, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history")
    commands = [a_command(f"case:f{n % 7}", f"frozen {n}") for n in range(30)]
    async with databases.appender() as appender, databases.reader() as log:
        await recorder.append(appender, a_command("case:f", "warm"))
        with frozen(pid_of(databases)):
            began = time.monotonic()
            said = await asyncio.gather(
                *(recorder.append(appender, each, patience=1.5) for each in commands), return_exceptions=True
            )
            assert time.monotonic() - began < 1.5 + SLOW_MACHINE
        assert {type(each) for each in said} == {LogUnavailable}
        outcomes = [await _insist(appender, recorder, each) for each in commands]
        facts = await facts_of(log)
    assert all(isinstance(outcome, Appended | Repeated) for outcome in outcomes)
    assert len(facts) == 1 + len(commands)
    assert check(Evidence(recorder.history(), facts)) == []


async def _insist(appender: Appender, recorder: Recorder, command: AppendRequest) -> object:
    for _ in range(20):
        try:
            return await recorder.append(appender, command)
        except LogUnavailable:
            continue
    raise AssertionError("the log did not come back")


async def test_a_held_shard_refuses_its_own_commands_in_time_and_not_those_of_others(databases: Databases) -> None:
    held, free = "case:h", next(f"case:h{n}" for n in range(9) if shard_of(f"case:h{n}") != shard_of("case:h"))
    holder = await databases.connect("caselog", "owner")
    async with databases.appender() as appender, databases.reader() as log:
        await holder.execute("SELECT pg_advisory_lock($1, $2)", APPEND_LOCK, shard_of(held))
        streams = [held, free, held, free, held]
        ended = await asyncio.gather(
            *(appender.append(a_command(stream, f"{n}")) for n, stream in enumerate(streams)), return_exceptions=True
        )
        assert [type(each) for each in ended] == [NotTaken, Appended, NotTaken, Appended, NotTaken]
        assert [len(await log.stream(stream)) for stream in (held, free)] == [0, 2]
        await holder.close()
        assert isinstance(await appender.append(a_command(held, "0")), Appended)


async def test_a_command_whose_reply_was_lost_is_never_said_to_have_no_effect(databases: Databases) -> None:
    holder = await databases.connect("caselog", "owner")
    async with (
        proxy(databases.server.port) as wire,
        databases.appender(port=wire.port) as appender,
        databases.reader() as log,
    ):
        await appender.append(a_command("case:u", "warm"))
        wire.replies = LostReplies(most=1, to=asks_to_append, whole=postgres_is_ready)
        wire.half_open = True  # the next connection, on which the command is sent again
        unknown = asyncio.create_task(appender.append(a_command("case:u", "lost"), patience=60))
        await eventually(lambda: _true(wire.accepted == 2))
        await holder.execute("SELECT pg_advisory_lock($1, $2)", APPEND_LOCK, shard_of("case:u"))
        wire.half_open = False
        wire.end()
        with pytest.raises(LogUnavailable) as told:
            await unknown
        assert not isinstance(told.value, NotTaken)
        await holder.close()
        assert [fact.version for fact in await log.stream("case:u")] == [1, 2]


async def _true(condition: bool) -> bool:
    return condition

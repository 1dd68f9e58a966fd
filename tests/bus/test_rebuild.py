"""A projection is built anew beside the live one and swapped; live traffic goes on, and what was damaged is right again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from caselog.read import LogReader
from chassis.bus.inbox import Inbox
from chassis.bus.readers import Reader
from chassis.bus.rebuild import Rebuild, RebuildRefused
from chassis.bus.shelf import ReaderOutdated
from tests.bus.ground import apply, eventually, facts, fill, inbox_of, prepare, rebuilt, rows
from tests.databases import Databases

READER = Reader("rows", 1, apply, {"rows": "*"})


def anew(databases: Databases, log: LogReader, reader: Reader = READER, stop_at: int = 0) -> Rebuild:
    def say(applied: int, _of: int) -> None:
        if stop_at and applied >= stop_at:
            raise ConnectionAbortedError  # the process is killed here

    return Rebuild(reader, databases.where("review", "owner"), log, say)


async def test_under_live_traffic_it_is_swapped_and_the_live_reader_goes_on(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, own), databases.reader() as log:
        await fill(appender, 400)
        await eventually(lambda: inbox.caught_up("rows"))
        traffic = asyncio.create_task(fill(appender, 1200, tag="live"))
        done = await anew(databases, log).run()
        await traffic
        await eventually(lambda: inbox.caught_up("rows"))
        assert done.facts >= 400
        assert done.differing == {"rows": 0}
        assert await rows(own) == await rebuilt(databases)
        assert await own.fetchval("SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'rebuild%'") == 0


async def test_damaged_rows_are_counted_and_right_afterwards(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, own), databases.reader() as log:
        await fill(appender, 200)
        await eventually(lambda: inbox.caught_up("rows"))
        owner = await databases.connect("review", "owner")
        await owner.execute("DELETE FROM rows WHERE (shard, seq) IN (SELECT shard, seq FROM rows ORDER BY shard, seq LIMIT 3)")
        await owner.execute("INSERT INTO rows VALUES (0, 999, 'case:nobody', NULL)")
        await owner.close()
        assert (await anew(databases, log).run()).differing == {"rows": 4}
        assert await rows(own) == await rebuilt(databases)
        assert (await anew(databases, log).run()).differing == {"rows": 0}


async def test_broken_off_it_goes_on_where_it_was(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, own), databases.reader() as log:
        await fill(appender, 500)
        await eventually(lambda: inbox.caught_up("rows"))
        with pytest.raises(ExceptionGroup):
            await anew(databases, log, stop_at=200).run()
        assert await rows(own) == await rebuilt(databases)  # the live rows never knew
        owner = await databases.connect("review", "owner")
        before = await owner.fetchval("SELECT sum(seq) FROM rebuild_rows.checkpoints")
        await owner.close()
        assert before >= 200
        applied: list[int] = []
        await Rebuild(READER, databases.where("review", "owner"), log, lambda done, _: applied.append(done)).run()
        assert min(applied) > 200
        assert await rows(own) == await rebuilt(databases)


async def test_a_new_version_is_built_by_rebuild_and_refuses_to_run_on_the_rows_of_the_old_one(databases: Databases) -> None:
    await prepare(databases)
    second = replace(READER, version=2)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, own), databases.reader() as log:
        await fill(appender, 100)
        await eventually(lambda: inbox.caught_up("rows"))
        newer = Inbox([second], own=own, log=log, bus=False)
        with pytest.raises(ReaderOutdated, match="run `rebuild rows`"):
            await newer.running().__aenter__()
        with pytest.raises(ExceptionGroup):
            await anew(databases, log, stop_at=50).run()  # of the old version: of no use to the new one
        await anew(databases, log, second).run()
        async with newer.running():
            await appender.append(facts("case:more", range(3)))
            await eventually(lambda: newer.caught_up("rows"))
            assert await rows(own) == await rebuilt(databases)


async def test_a_second_rebuild_and_a_halted_shard_are_refused(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, _), databases.reader() as log:
        await fill(appender, 50)
        await eventually(lambda: inbox.caught_up("rows"))
        other: asyncpg.Connection = await databases.connect("review", "owner")
        assert await other.fetchval("SELECT pg_try_advisory_lock(1347571287)")
        with pytest.raises(RebuildRefused, match="another rebuild"):
            await anew(databases, log).run()
        await other.close()
        await inbox.shelves["rows"].halt(3, "fork at 1")
        with pytest.raises(RebuildRefused, match="halted"):
            await anew(databases, log).run()


async def test_a_version_that_cannot_apply_the_log_is_refused_in_one_sentence_and_changes_nothing(databases: Databases) -> None:
    async def broken(_connection: object, _fact: object, _recorded: object) -> None:
        raise ValueError

    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, own), databases.reader() as log:
        await fill(appender, 200, streams=60)
        await eventually(lambda: inbox.caught_up("rows"))
        with pytest.raises(RebuildRefused, match="too many streams"):
            await anew(databases, log, replace(READER, version=2, apply=broken)).run()
        assert await rows(own) == await rebuilt(databases)

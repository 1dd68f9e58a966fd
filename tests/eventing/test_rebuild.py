"""A projection is built anew beside the live one and swapped; live traffic goes on, and what was damaged is right again."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from caselog.append import Appender
from caselog.read import LogReader
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.processors.store import ProcessorOutdated
from chassis.eventing.projections import rebuild, rebuild_workers
from chassis.eventing.projections.rebuild import Rebuild
from chassis.eventing.projections.rebuild_workers import RebuildRefused
from schemas.facts import CODEC
from tests.databases import Databases
from tests.eventing.harness import apply, eventually, facts, fill, inbox_of, prepare, rebuilt, rows

READER = EventProcessor("rows", 1, apply, {"rows": "*"}, codec=CODEC)


def anew(
    databases: Databases, reader: EventProcessor = READER, say: Callable[[int, int], None] = lambda _applied, _of: None
) -> Rebuild:
    @asynccontextmanager
    async def open_processor() -> AsyncIterator[tuple[EventProcessor, LogReader]]:
        async with databases.reader() as log:
            yield reader, log

    return Rebuild(open_processor, databases.where("review", "owner"), say)


@asynccontextmanager
async def filled(databases: Databases, count: int, *, streams: int = 40) -> AsyncIterator[tuple[Appender, Inbox, asyncpg.Pool]]:
    """The miniature over a log of `count` facts, its live rows caught up."""
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, db):
        await fill(appender, count, streams=streams)
        await eventually(lambda: inbox.caught_up("rows"))
        yield appender, inbox, db


def stop_at(count: int) -> Callable[[int, int], None]:
    def say(applied: int, _of: int) -> None:
        if applied >= count:
            raise ConnectionAbortedError  # the process is killed here

    return say


async def test_under_live_traffic_it_is_swapped_and_the_live_reader_goes_on(databases: Databases) -> None:
    async with filled(databases, 400) as (appender, inbox, db):
        rebuilding = asyncio.create_task(anew(databases).run())
        rounds = 0
        while not rebuilding.done():  # as long as it takes: what is appended between its last look and the swap must not differ
            await fill(appender, 40, tag=f"live{rounds}-")
            rounds += 1
        done = await rebuilding
        await eventually(lambda: inbox.caught_up("rows"))
        assert done.facts >= 400
        assert done.differing == {"rows": 0}
        assert await rows(db) == await rebuilt(databases)
        assert await db.fetchval("SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'rebuild%'") == 0


async def test_a_page_that_joins_the_tables_in_another_order_is_answered_and_the_swap_goes_on(databases: Databases) -> None:
    async with filled(databases, 50) as (_, _, db):
        owner: asyncpg.Connection = await databases.connect("review", "owner")
        await owner.execute("CREATE TABLE others (seq bigint); GRANT SELECT ON others TO review")
        async with db.acquire() as page, page.transaction():
            assert await page.fetchval("SELECT count(*) FROM others") == 0
            rebuilding = asyncio.create_task(anew(databases, replace(READER, tables={"rows": "*", "others": "*"})).run())
            await eventually(lambda: waited_for(owner, "others"))
            assert await page.fetchval("SELECT count(*) FROM rows") == 50
        assert (await rebuilding).differing == {"rows": 0, "others": 0}
        assert await rows(db) == await rebuilt(databases)
        await owner.close()


async def test_statistics_taken_of_the_new_table_meanwhile_do_not_end_the_rebuild(databases: Databases) -> None:
    async with filled(databases, 50) as (_, _, db):
        with pytest.raises(ConnectionAbortedError):
            await anew(databases, say=stop_at(50)).run()
        owner: asyncpg.Connection = await databases.connect("review", "owner")
        async with owner.transaction():  # autovacuum does both in one step; here what happens between them is certain
            await owner.execute("LOCK TABLE rebuild_rows.rows IN SHARE UPDATE EXCLUSIVE MODE")
            rebuilding = asyncio.create_task(anew(databases).run())
            await eventually(lambda: waited_for(owner, "rows"))
            await owner.execute("ANALYZE rebuild_rows.rows")
        assert (await rebuilding).differing == {"rows": 0}
        assert await rows(db) == await rebuilt(databases)
        await owner.close()


async def test_a_table_that_others_do_not_let_go_of_ends_the_rebuild_in_words(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "PATIENCE_SECONDS", 1.0)
    async with filled(databases, 50) as (_, _, db):
        async with db.acquire() as page, page.transaction():
            await page.fetchval("SELECT count(*) FROM rows")
            with pytest.raises(RebuildRefused, match="others hold its tables; nothing was swapped"):
                await anew(databases).run()
        assert (await anew(databases).run()).differing == {"rows": 0}
        assert await rows(db) == await rebuilt(databases)


async def waited_for(connection: asyncpg.Connection, table: str) -> bool:
    waiting = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = $1 AND NOT l.granted"
    return bool(await connection.fetchval(waiting, table))


async def test_damaged_rows_are_counted_and_right_afterwards(databases: Databases) -> None:
    async with filled(databases, 200) as (_, _, db):
        owner = await databases.connect("review", "owner")
        await owner.execute("DELETE FROM rows WHERE (shard, seq) IN (SELECT shard, seq FROM rows ORDER BY shard, seq LIMIT 3)")
        await owner.execute("INSERT INTO rows VALUES (0, 999, 'case:nobody', NULL)")
        await owner.close()
        assert (await anew(databases).run()).differing == {"rows": 4}
        assert await rows(db) == await rebuilt(databases)
        assert (await anew(databases).run()).differing == {"rows": 0}


async def test_broken_off_it_goes_on_where_it_was(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_workers, "PAGE", 5)  # so that there is a middle to be broken off in; the processes inherit it
    async with filled(databases, 2000) as (_, _, db):
        with pytest.raises(ConnectionAbortedError):
            await anew(databases, say=stop_at(100)).run()
        assert multiprocessing.active_children() == []
        assert await rows(db) == await rebuilt(databases)  # the live rows never knew
        before = await built_beside(databases)
        assert 100 <= before < 2000
        applied: list[int] = []
        await anew(databases, say=lambda done, _: applied.append(done)).run()
        assert min(applied) >= before
        assert await rows(db) == await rebuilt(databases)


async def test_a_killed_part_is_told_in_one_sentence_and_the_rebuild_goes_on_when_it_is_run_again(databases: Databases) -> None:
    def kill(_applied: int, _of: int) -> None:
        for part in multiprocessing.active_children()[:1]:
            part.kill()

    async with filled(databases, 400) as (_, _, db):
        with pytest.raises(RebuildRefused, match="ended with -9; run again"):
            await anew(databases, say=kill).run()
        assert multiprocessing.active_children() == []
        assert (await anew(databases).run()).differing == {"rows": 0}
        assert await rows(db) == await rebuilt(databases)


async def test_a_log_that_differs_from_its_links_is_refused(databases: Databases) -> None:
    async with filled(databases, 300) as (_, _, db):
        owner = await databases.connect("caselog", "owner")
        head = "(SELECT shard, max(seq) FROM log.facts GROUP BY 1 LIMIT 1)"
        await owner.execute(f"UPDATE log.facts SET body = body || ' ' WHERE (shard, seq) = {head}")
        await owner.close()
        with pytest.raises(RebuildRefused, match="the log does not go on after"):
            await anew(databases).run()
        assert len(await rows(db)) == 300


async def built_beside(databases: Databases) -> int:
    owner = await databases.connect("review", "owner")
    found: int = await owner.fetchval("SELECT sum(seq) FROM rebuild_rows.checkpoints")
    await owner.close()
    return found


async def test_a_new_version_is_built_by_rebuild_and_refuses_to_run_on_the_rows_of_the_old_one(databases: Databases) -> None:
    second = replace(READER, version=2)
    async with filled(databases, 100) as (appender, _, db), databases.reader() as log:
        newer = Inbox([second], db=db, log=log, bus=False)
        with pytest.raises(ProcessorOutdated, match="run `rebuild rows`"):
            await newer.running().__aenter__()
        with pytest.raises(ConnectionAbortedError):
            await anew(databases, say=stop_at(0)).run()  # of the old version: of no use to the new one
        await anew(databases, second).run()
        async with newer.running():
            await appender.append(facts("case:more", range(3)))
            await eventually(lambda: newer.caught_up("rows"))
            assert await rows(db) == await rebuilt(databases)


async def test_a_second_rebuild_and_a_halted_shard_are_refused(databases: Databases) -> None:
    async with filled(databases, 50) as (_, inbox, _):
        other: asyncpg.Connection = await databases.connect("review", "owner")
        assert await other.fetchval("SELECT pg_try_advisory_lock(1347571287)")
        with pytest.raises(RebuildRefused, match="another rebuild"):
            await anew(databases).run()
        await other.close()
        await inbox.stores["rows"].halt(3, "fork at 1")
        with pytest.raises(RebuildRefused, match="halted"):
            await anew(databases).run()


async def test_a_version_that_cannot_apply_the_log_is_refused_in_one_sentence_and_changes_nothing(databases: Databases) -> None:
    async def broken(_connection: object, _run: object) -> None:
        raise ValueError

    async with filled(databases, 200, streams=60) as (_, _, db):
        with pytest.raises(RebuildRefused, match="too many streams"):
            await anew(databases, replace(READER, version=2, apply=broken)).run()
        assert await rows(db) == await rebuilt(databases)

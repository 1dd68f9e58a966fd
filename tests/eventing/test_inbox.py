"""The inbox applies exactly what follows, repairs from the log, and never applies a forged message."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import asyncpg
import pytest

from caselog.chain import compute_link
from chassis.eventing.processors.inbox import APPLIED
from chassis.eventing.processors.processor import Batch, Reach
from chassis.eventing.processors.store import PARKED_LIMIT
from chassis.refusal import StillFaulty
from chassis.web.parked_work import release
from schemas.envelope import Position, RecordedFact, shard_of
from tests.databases import Databases
from tests.eventing.harness import UNENCODABLE, eventually, facts, fill, inbox_of, prepare, put, rebuilt, rows


async def whole_log(databases: Databases) -> list[RecordedFact]:
    async with databases.reader() as log:
        return [fact for shard in range(64) for fact in await log.shard(shard, 0, 100_000)]


async def test_lost_repeated_and_reordered_messages_leave_the_same_rows_as_a_rebuild(databases: Databases) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    await prepare(databases)
    async with databases.appender() as appender:
        await fill(appender, 600)
    sent = [fact for fact in await whole_log(databases) for _ in range(chance.choice([0, 1, 1, 2]))]
    for start in range(0, len(sent), 50):
        window = sent[start : start + 50]
        chance.shuffle(window)
        sent[start : start + 50] = window
    async with inbox_of(databases) as (inbox, db):
        for start in range(0, len(sent), 37):
            await inbox.take(sent[start : start + 37])
        await eventually(lambda: inbox.caught_up("rows"))
        assert await rows(db) == await rebuilt(databases)


async def test_rows_and_checkpoint_are_written_together_or_not_at_all(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await appender.append(facts("case:a", range(3)))
    log = await whole_log(databases)
    owner = await databases.connect("review", "owner")
    async with inbox_of(databases, refill=False) as (inbox, db):
        await owner.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a disk that fails'; END $$;"
            "CREATE TRIGGER fails BEFORE UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        with pytest.raises(asyncpg.RaiseError):
            await inbox.take(log)
        assert await rows(db) == []
        await owner.execute("DROP FUNCTION fail CASCADE")
        await inbox.take(log)
        assert await rows(db) == await rebuilt(databases)
    await owner.close()


async def test_with_refill_off_a_gap_is_not_crossed(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await appender.append(facts("case:a", range(5)))
    log = await whole_log(databases)
    async with inbox_of(databases, refill=False) as (inbox, db):
        await inbox.take([log[0], log[2], log[3]])
        assert [row[1] for row in await rows(db)] == [1]
        await inbox.take(log[1:])
        assert [row[1] for row in await rows(db)] == [1, 2, 3, 4, 5]


async def test_with_the_bus_off_the_log_brings_everything(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, db):
        await fill(appender, 300)
        await eventually(lambda: inbox.caught_up("rows"))
        assert await rows(db) == await rebuilt(databases)


async def test_a_damaged_and_a_forged_message_are_dropped_and_the_true_fact_is_applied(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await appender.append(facts("case:a", range(3)))
    first, second, third = await whole_log(databases)
    damaged = replace(first, body=first.body + b" ")
    unlinked = replace(second, prev=bytes(32))
    forged = replace(unlinked, link=compute_link(unlinked))
    async with inbox_of(databases) as (inbox, db):
        await inbox.take([damaged])
        await inbox.take([first, forged, third])
        assert await rows(db) == await rebuilt(databases)
        assert all(each.halted is None for each in (await inbox.stores["rows"].checkpoints()).values())


async def test_a_forged_message_beyond_the_log_halts_nothing(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await appender.append(facts("case:a", range(4)))
    first, *_, last = await whole_log(databases)
    invented = [replace(last, seq=seq, version=seq, prev=bytes(32)) for seq in (5, 9)]
    async with inbox_of(databases) as (inbox, db):
        await inbox.take([first])
        for forged in invented:
            await inbox.take([replace(forged, link=compute_link(forged))])
        assert all(each.halted is None for each in (await inbox.stores["rows"].checkpoints()).values())
        assert await rows(db) == await rebuilt(databases)


async def test_a_log_that_differs_from_what_was_applied_halts_that_shard_only(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await appender.append(facts("case:a", range(2)))
        await appender.append(facts("case:b", range(2)))
    async with inbox_of(databases) as (inbox, db):
        shard = shard_of("case:a")
        invented = replace(
            (await whole_log(databases))[0], shard=shard, seq=1, prev=bytes(32), body=b'{"what":["x"],"reason":"y"}'
        )
        await inbox.take([replace(invented, link=compute_link(invented))])
        await eventually(lambda: _halted(inbox, shard))
        other = shard_of("case:b")
        assert shard != other
        await eventually(lambda: _at(inbox, other, 2))
        assert len([row for row in await rows(db) if row[0] == other]) == 2


async def _halted(inbox: object, shard: int) -> bool:
    checkpoints = await inbox.stores["rows"].checkpoints()  # type: ignore[attr-defined]
    return checkpoints[shard].halted is not None


async def _at(inbox: object, shard: int, seq: int) -> bool:
    return bool((await inbox.stores["rows"].checkpoints())[shard].seq == seq)  # type: ignore[attr-defined]


async def test_a_fact_that_cannot_be_applied_parks_its_stream_and_others_flow(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, db):
        shard = shard_of("case:a")
        neighbour = next(f"case:n{n}" for n in range(10_000) if shard_of(f"case:n{n}") == shard)
        await appender.append(facts("case:a", range(1)))
        await appender.append(facts("case:a", range(1, 2), poison=True))
        await appender.append(facts("case:a", range(2, 3)))
        await appender.append(facts(neighbour, range(3)))
        await eventually(lambda: inbox.caught_up("rows"))
        assert [row[2] for row in await rows(db)] == ["case:a", *[neighbour] * 3]
        last = Position(shard, 3)
        assert [each[:4] for each in await inbox.parked()] == [("rows", "case:a", 2, "ValueError")]
        assert await inbox.wait("rows", last, "case:a", 1) is Reach.PARKED
        assert await inbox.wait("rows", last, neighbour, 5) is Reach.REACHED
        assert await inbox.wait("rows", Position(shard, 99), neighbour, 0.1) is Reach.NOT_YET


async def test_a_value_that_cannot_be_encoded_parks_its_stream_and_is_not_taken_for_a_server_that_is_away(
    databases: Databases,
) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, _):
        await appender.append(facts("case:a", range(1), poison=UNENCODABLE))
        await eventually(lambda: inbox.caught_up("rows"))
        assert [each[:4] for each in await inbox.parked()] == [("rows", "case:a", 1, "DataError")]


async def test_a_deadlock_parks_nothing_and_is_tried_again(databases: Databases) -> None:
    met = 0

    async def meets_others(connection: asyncpg.Connection, run: Batch) -> None:
        nonlocal met
        met += 1
        if met <= 3:  # also when the run is done again under savepoints
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")
        await put(connection, run)

    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False, applying=meets_others) as (inbox, db):
        await appender.append(facts("case:a", range(3)))
        await eventually(lambda: inbox.caught_up("rows"))
        assert met > 3
        assert await inbox.parked() == []
        assert await rows(db) == await rebuilt(databases)


async def test_a_released_stream_goes_on_from_where_it_was_parked(databases: Databases) -> None:
    await prepare(databases)
    await _allow(databases, False)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, db):
        await appender.append(facts("case:a", range(4)))
        await eventually(lambda: inbox.caught_up("rows"))
        assert await rows(db) == []
        with pytest.raises(StillFaulty):
            await inbox.release("rows", "case:a")
        assert [each[:4] for each in await inbox.parked()] == [("rows", "case:a", 1, "InsufficientPrivilegeError")]
        await _allow(databases, True)
        assert await release(inbox, db, "nobody", "case:a") is False
        assert await release(inbox, db, "rows", "case:a") is True
        assert await release(inbox, db, "rows", "case:a") is False
        assert await rows(db) == await rebuilt(databases)


async def _allow(databases: Databases, allowed: bool) -> None:
    connection = await databases.connect("review", "owner")
    await connection.execute(f"{'GRANT' if allowed else 'REVOKE'} INSERT ON rows {'TO' if allowed else 'FROM'} review")
    await connection.close()


async def test_a_page_that_waits_is_told_also_when_another_instance_applies(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await appender.append(facts("case:a", range(3)))
    log = await whole_log(databases)
    async with inbox_of(databases, refill=False) as (one, _), inbox_of(databases, refill=False) as (two, _):
        here = asyncio.create_task(one.wait("rows", log[0].position, "case:a", 20))
        there = asyncio.create_task(two.wait("rows", log[-1].position, "case:a", 20))
        await one.take(log[:1])
        await two.take(log)
        assert await here is Reach.REACHED
        assert await there is Reach.REACHED
        assert await one.wait("rows", log[-1].position, "case:a", 20) is Reach.REACHED


async def test_a_reader_that_parks_too_many_streams_stops(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, _):
        for number in range(PARKED_LIMIT + 1):
            await appender.append(facts(f"case:p{number}", range(1), poison=True))
        await eventually(lambda: _is_stopped(inbox))
        assert len(await inbox.parked()) == PARKED_LIMIT + 1
        await appender.append(facts("case:sound", range(1)))
        before = (await inbox.stores["rows"].checkpoints())[shard_of("case:sound")]
        await inbox.take(await whole_log(databases))
        assert (await inbox.stores["rows"].checkpoints())[shard_of("case:sound")] == before  # stopped also for what is sound


async def _is_stopped(inbox: object) -> bool:
    return "rows" in inbox.stopped  # type: ignore[attr-defined]


async def test_what_waits_its_turn_on_a_bus_that_flows_is_not_taken_from_it_and_what_was_lost_comes_from_the_log(
    databases: Databases,
) -> None:
    await prepare(databases)
    late = shard_of("case:late")
    others = [f"case:n{n}" for n in range(100) if shard_of(f"case:n{n}") != late][:60]
    async with databases.appender() as appender:
        for stream in ("case:late", *others):
            await appender.append(facts(stream, range(1)))
    log = await whole_log(databases)
    before = from_the_log()
    async with inbox_of(databases) as (inbox, _):
        for fact in (each for each in log if each.shard != late):
            await inbox.take([fact])
            await asyncio.sleep(0.05)  # the pace of a bus that flows, about three looks of the watch in all
        assert from_the_log() == before
        await eventually(lambda: inbox.caught_up("rows"))
        assert from_the_log() == before + 1, "what the bus lost"


def from_the_log() -> float:
    return float(APPLIED.labels("rows", "log")._value.get())


async def test_two_instances_that_take_the_same_messages_apply_each_once(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender:
        await fill(appender, 400)
    log = await whole_log(databases)
    async with inbox_of(databases) as (one, db), inbox_of(databases) as (two, _):
        runs = [log[start : start + 20] for start in range(0, len(log), 20)]
        await asyncio.gather(*(inbox.take(run) for run in runs for inbox in (one, two)))
        await eventually(lambda: one.caught_up("rows"))
        assert await rows(db) == await rebuilt(databases)

"""The contract of the append: what a caller may rely on."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from dataclasses import replace

import asyncpg
import pytest

from caselog.append import Appender, AppendFailed, LogUnavailable
from caselog.chain import ZERO_LINK, compute_link
from caselog.db.queries import Queries
from caselog.outcomes import Appended, AppendRequest, Conflict, NewFact, Outcome, Refused, Repeated
from caselog.read import SQL_DIRECTORY, LogReader
from schemas.envelope import shard_of
from tests.caselog.commands import a_command
from tests.databases import Databases
from tests.faults.proxy import LostReplies, asks_to_append, postgres_is_ready, proxy


async def test_a_command_of_many_facts_is_appended_whole_and_its_links_recompute(databases: Databases) -> None:
    async with databases.appender() as appender, databases.reader() as reader:
        outcome = await appender.append(a_command("case:a", "one", expected=0, facts=64))
        facts = await reader.stream("case:a")
    assert isinstance(outcome, Appended)
    assert [fact.version for fact in facts] == list(range(1, 65))
    assert [fact.seq for fact in facts] == list(range(1, 65))
    assert [compute_link(fact) for fact in facts] == [fact.link for fact in facts] == [events.link for events in outcome.events]
    assert [fact.prev for fact in facts] == [ZERO_LINK, *(fact.link for fact in facts[:-1])]


async def test_the_shard_in_sql_is_the_shard_in_python(databases: Databases) -> None:
    async with databases.appender() as appender, databases.reader() as reader:
        streams = [f"case:{name}" for name in ("a", "b", "z9", "long-name_with.all")]
        await asyncio.gather(*(appender.append(a_command(stream, "one")) for stream in streams))
        for stream in streams:
            assert [fact.shard for fact in await reader.stream(stream)] == [shard_of(stream)]


async def test_of_twenty_parallel_appends_with_one_expected_version_one_wins(databases: Databases) -> None:
    async with databases.appender() as first, databases.appender("intake") as second:
        outcomes = await asyncio.gather(
            *((first, second)[n % 2].append(a_command("case:race", f"command {n}", expected=0)) for n in range(20))
        )
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    assert [outcome.actual for outcome in outcomes if isinstance(outcome, Conflict)] == [1] * 19


async def test_a_repeated_command_answers_its_original_places(databases: Databases) -> None:
    async with databases.appender() as appender:
        first = await appender.append(a_command("case:r", "same", expected=0, facts=3))
        await appender.append(a_command("case:r", "later"))
        again = await appender.append(a_command("case:r", "same", expected=0, facts=3))
    assert isinstance(first, Appended)
    assert isinstance(again, Repeated)
    assert (again.events, again.recorded_at) == (first.events, first.recorded_at)


async def test_the_same_command_id_with_another_request_is_refused(databases: Databases) -> None:
    async with databases.appender() as appender:
        command = a_command("case:d", "one")
        await appender.append(command)
        outcome = await appender.append(replace(command, request_hmac=bytes(32)))
    assert outcome == Refused("request_differs")


async def test_two_commands_of_one_stream_in_one_batch_each_get_their_outcome(databases: Databases) -> None:
    async with databases.appender() as appender:
        outcomes = await asyncio.gather(
            appender.append(a_command("case:b", "one", expected=0)),
            appender.append(a_command("case:b", "two", expected=1)),
            appender.append(a_command("case:b", "three", expected=1)),
            appender.append(a_command("case:b", "one", expected=0)),
        )
    assert [type(outcome) for outcome in outcomes] == [Appended, Appended, Conflict, Repeated]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (a_command("case:x", "none", facts=0), "too_many_facts"),
        (a_command("case:x", "many", facts=65), "too_many_facts"),
        (a_command("case:x", "large", body=b"x" * 262_200), "too_large"),
        (a_command("case:x y", "name"), "wrong_stream"),
        (a_command("case:", "nothing"), "wrong_stream"),
        (a_command("case:x\n", "line"), "wrong_stream"),
        (a_command("case:x:y", "twice"), "wrong_stream"),
        (a_command(f"case:{'x' * 81}", "long"), "wrong_stream"),
        (a_command("office:x", "kind"), "wrong_stream_kind"),
        (a_command("case:x", "type", type_name="case.invented"), "unknown_type"),
        (a_command("case:x", "writer", type_name="case.approved"), "not_the_writer"),
    ],
)
async def test_a_command_that_breaks_a_rule_is_refused_alone(databases: Databases, command: AppendRequest, reason: str) -> None:
    async with databases.appender() as appender, databases.reader() as reader:
        outcomes = await asyncio.gather(
            appender.append(a_command("case:good", "before")),
            appender.append(command),
            appender.append(a_command("case:good", "after")),
        )
        assert outcomes[1] == Refused(reason)
        assert [fact.version for fact in await reader.stream("case:good")] == [1, 2]
        assert await reader.stream(command.stream) == ()


async def test_the_longest_name_of_a_stream_is_taken(databases: Databases) -> None:
    async with databases.appender() as appender:
        assert isinstance(await appender.append(a_command(f"case:{'x' * 80}", "longest")), Appended)


async def test_a_poison_command_in_a_batch_fails_alone(databases: Databases) -> None:
    async with databases.appender() as appender, databases.reader() as reader:
        poison = replace(a_command("case:p", "poison"), actor="\x00")  # PostgreSQL's text cannot hold it
        results = await asyncio.gather(
            appender.append(a_command("case:good", "before")),
            appender.append(poison),
            appender.append(a_command("case:good", "after")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [Appended, AppendFailed, Appended]
        assert len(await reader.stream("case:good")) == 2


async def test_a_reply_lost_after_the_commit_gives_the_original_receipt(databases: Databases) -> None:
    async with (
        proxy(databases.server.port) as wire,
        databases.appender(port=wire.port) as appender,
        databases.reader() as reader,
    ):
        await appender.append(a_command("case:l", "warm"))
        wire.replies = LostReplies(most=1, to=asks_to_append, whole=postgres_is_ready)
        outcome = await appender.append(a_command("case:l", "lost"))
        facts = await reader.stream("case:l")
    assert wire.replies.lost == 1
    assert isinstance(outcome, Repeated)
    assert [fact.link for fact in facts][1:] == [events.link for events in outcome.events]


async def test_a_log_that_does_not_answer_is_said_in_time(databases: Databases) -> None:
    async def unreachable() -> asyncpg.Connection:
        raise ConnectionRefusedError

    async with Appender.running(unreachable) as appender:
        with pytest.raises(LogUnavailable):
            await appender.append(a_command("case:n", "one"), patience=0.3)


async def test_a_client_that_froze_after_its_call_does_not_hold_its_shard(databases: Databases) -> None:
    """A client that never reads its answer: the statement is autocommit, so the shard is free as soon as it has run."""
    async with databases.appender() as appender, databases.reader() as reader, proxy(databases.server.port) as wire:
        connection = await databases.connect("caselog", "intake", port=wire.port)
        call = await connection.prepare(Queries.load(SQL_DIRECTORY / "queries.sql").append)
        wire.down.freeze()
        frozen = asyncio.create_task(call.fetch(*_one_command("case:f")))
        await wire.down.held.wait()
        outcome = await appender.append(a_command("case:f", "next"), patience=1.0)
        connection.terminate()
        await asyncio.gather(frozen, return_exceptions=True)
        assert [fact.version for fact in await reader.stream("case:f")] == [1, 2]
    assert isinstance(outcome, Appended)
    assert outcome.events[0].version == 2


def _one_command(stream: str) -> tuple[list[object], ...]:
    one: list[object] = [b"\x01" * 32]
    return ([stream], [None], one, one, ["citizen:x"], [None], [b"{}"], [1], ["case.withdrawn"], [1], [b"{}"])


async def test_a_transaction_of_another_isolation_is_refused(databases: Databases) -> None:
    connection = await databases.connect("caselog", "intake")
    sql = Queries.load(SQL_DIRECTORY / "queries.sql")
    try:
        with pytest.raises(asyncpg.InvalidTransactionStateError):
            async with connection.transaction(isolation="repeatable_read"):
                await connection.fetch(sql.append, *_one_command("case:i"))
    finally:
        await connection.close()


async def _tail(reader: LogReader, seen: dict[int, list[int]], done: asyncio.Event) -> None:
    while True:
        last_round = done.is_set()
        for shard in seen:
            while page := await reader.shard(shard, seen[shard][-1] if seen[shard] else 0, 200):
                seen[shard] += [fact.seq for fact in page]
        if last_round:
            return


async def test_sixteen_writers_with_random_holds_and_a_tailing_reader_miss_nothing(databases: Databases) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    holds = [[dice.random() * 0.004 for _ in range(160)] for _ in range(16)]
    streams = [f"case:s{n}" for n in range(40)]
    seen: dict[int, list[int]] = {shard_of(stream): [] for stream in streams}
    done = asyncio.Event()

    async def writer(number: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        async with databases.appender() as appender:
            for step, hold in enumerate(holds[number]):
                command = a_command(streams[(number * 7 + step) % 40], f"{number}/{step}", facts=4)
                outcomes.append(await appender.append(command))
                await asyncio.sleep(hold)
        return outcomes

    async with databases.reader() as reader:
        tailing = asyncio.create_task(_tail(reader, seen, done))
        outcomes = [outcome for each in await asyncio.gather(*(writer(n) for n in range(16))) for outcome in each]
        done.set()
        await tailing
        heads = await reader.heads()
        versions = [[fact.version for fact in await reader.stream(stream)] for stream in streams]
    assert all(isinstance(outcome, Appended) for outcome in outcomes)
    assert sum(len(seqs) for seqs in seen.values()) == 16 * 160 * 4 >= 10_000
    assert all(seqs == list(range(1, heads[shard].seq + 1)) for shard, seqs in seen.items())
    assert all(each == list(range(1, len(each) + 1)) for each in versions)


async def test_time_never_runs_backwards_in_a_shard_and_reads_stop_where_asked(databases: Databases) -> None:
    async with databases.appender() as appender, databases.reader() as reader:
        for n in range(5):
            await appender.append(a_command("case:t", f"{n}"))
        facts = await reader.stream("case:t")
        assert [fact.recorded_at for fact in facts] == sorted(fact.recorded_at for fact in facts)
        assert await reader.stream("case:t", until_version=2) == facts[:2]
        assert await reader.stream("case:t", until_position=facts[2].position) == facts[:3]
        assert await reader.stream("case:t", until_time=facts[3].recorded_at) == facts[:4]
        assert await reader.at(facts[4].position) == facts[4]
        assert await reader.command("case:t", facts[1].command) == (facts[1],)
        loaded = await reader.load("case:t")
        assert (loaded.version, loaded.facts) == (5, facts)
        assert loaded.at >= facts[-1].recorded_at
        assert (await reader.heads())[facts[0].shard].link == facts[-1].link
        with pytest.raises(ValueError, match="another shard"):
            await reader.stream("case:t", until_position=replace(facts[0].position, shard=(facts[0].shard + 1) % 64))


async def test_the_log_has_one_id_that_every_link_binds(databases: Databases) -> None:
    async with databases.appender() as appender, databases.reader() as reader:
        await appender.append(a_command("case:i", "one"))
        (fact,) = await reader.stream("case:i")
    assert compute_link(replace(fact, log_id=str(uuid.uuid4()))) != fact.link
    assert NewFact(fact.type, fact.type_version, fact.body).body == fact.body
    assert hashlib.sha256(fact.body).digest() == fact.request

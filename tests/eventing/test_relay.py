"""Log to broker to service over the real Kafka: with refill off the bus carries all; killed, wiped, twice at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from chassis.eventing.kafka.connection import KafkaConnection
from chassis.eventing.kafka.consumer import subscription
from chassis.eventing.kafka.topic import TOPIC, ensure, partition_of
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.relay import BEHIND
from deploy.kafka.broker import Broker
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually, facts, fill, inbox_of, prepare, rebuilt, relaying, rows


@pytest.fixture
async def own_broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """A broker of the test's own, since it is killed and wiped."""
    node = Broker(tmp_path_factory.mktemp("kafka"), ROOT / "var" / "kafka-jars")
    node.start()
    yield node
    node.stop()


@asynccontextmanager
async def subscribed(connection: KafkaConnection, group: str, inbox: Inbox) -> AsyncIterator[None]:
    bus = subscription(connection, group, inbox)
    await bus.start()
    try:
        yield
    finally:
        await bus.stop()


async def test_with_refill_off_the_bus_carries_everything(databases: Databases, own_broker: Broker) -> None:
    await prepare(databases)
    await ensure(own_broker.connection)
    async with (
        databases.appender() as appender,
        relaying(databases, own_broker.connection) as relay,
        inbox_of(databases, refill=False) as (inbox, db),
        subscribed(own_broker.connection, "all", inbox),
    ):
        await fill(appender, 1000)
        await eventually(lambda: inbox.caught_up("rows"))
        assert await rows(db) == await rebuilt(databases)
        assert relay.state.published >= 1000


async def test_rubbish_on_the_topic_is_dropped_and_nothing_is_lost(databases: Databases, own_broker: Broker) -> None:
    await prepare(databases)
    await ensure(own_broker.connection)
    producer = AIOKafkaProducer(bootstrap_servers=own_broker.bootstrap)
    await producer.start()
    async with (
        databases.appender() as appender,
        relaying(databases, own_broker.connection),
        inbox_of(databases, refill=False) as (inbox, db),
        subscribed(own_broker.connection, "rubbish", inbox),
    ):
        for number in range(60):
            await producer.send_and_wait(
                TOPIC, b"{", partition=number % 8, headers=[("ce_logid", b"\xff\xfe"), ("reply_to", b"other"), ("x", b"")]
            )
            await appender.append(facts(f"case:r{number}", range(1)))
        await eventually(lambda: inbox.caught_up("rows"))
        assert await rows(db) == await rebuilt(databases)
    await producer.stop()


async def test_a_killed_and_a_wiped_broker_lose_nothing(databases: Databases, own_broker: Broker) -> None:
    await prepare(databases)
    await ensure(own_broker.connection)
    async with (
        databases.appender() as appender,
        relaying(databases, own_broker.connection),
        inbox_of(databases) as (inbox, db),
        subscribed(own_broker.connection, "kills", inbox),
    ):
        for turn, wipe in enumerate((False, True)):
            await fill(appender, 200, tag=f"before{turn}-")
            own_broker.kill()
            await fill(appender, 200, tag=f"during{turn}-")
            if wipe:
                own_broker.wipe()
            own_broker.start(own_broker.port)
            await fill(appender, 200, tag=f"after{turn}-")
        await eventually(lambda: inbox.caught_up("rows"), 60)
        assert await rows(db) == await rebuilt(databases)


async def test_a_mark_moves_only_when_the_broker_has_the_facts(databases: Databases, own_broker: Broker) -> None:
    await prepare(databases)
    async with databases.appender() as appender, relaying(databases, own_broker.connection) as relay:
        await eventually(lambda: _leads(relay))
        own_broker.kill()
        await fill(appender, 50)
        await eventually(lambda: _stopped(relay))  # it tried, and the broker was away
        assert await _marked(databases) == 0
        own_broker.start(own_broker.port)
        await eventually(lambda: _published(relay, 50))
        await eventually(lambda: _all_marked(databases, 50))


async def test_what_is_not_published_is_counted_by_every_relay_also_while_none_can_publish(
    databases: Databases, own_broker: Broker
) -> None:
    await prepare(databases)
    async with (
        databases.appender() as appender,
        relaying(databases, own_broker.connection) as first,
        relaying(databases, own_broker.connection) as second,
    ):

        async def behind(count: int) -> bool:
            return (first.state.behind, second.state.behind) == (count, count)

        await fill(appender, 10)
        await eventually(lambda: _all_marked(databases, 10))
        await eventually(lambda: behind(0))
        own_broker.kill()
        await fill(appender, 50, tag="unpublished")
        await eventually(lambda: behind(50))
        assert BEHIND._value.get() == 50
        own_broker.start(own_broker.port)
        await eventually(lambda: behind(0))


async def _all_marked(databases: Databases, count: int) -> bool:
    return await _marked(databases) == count


async def _marked(databases: Databases) -> int:
    """How many facts the relay's marks say that the broker has."""
    connection = await databases.connect("relay", "relay")
    try:
        return int(await connection.fetchval("SELECT coalesce(sum(seq), 0) FROM relay_marks"))
    finally:
        await connection.close()


async def _stopped(relay: object) -> bool:
    return not relay.state.connected  # type: ignore[attr-defined]


async def test_only_one_relay_leads_and_the_next_takes_over(databases: Databases, own_broker: Broker) -> None:
    await prepare(databases)
    async with relaying(databases, own_broker.connection) as first:
        await eventually(lambda: _leads(first))
        async with relaying(databases, own_broker.connection) as second, databases.appender() as appender:
            await fill(appender, 50)
            await eventually(lambda: _published(first, 50))
            assert not second.state.leading
    async with relaying(databases, own_broker.connection) as third:
        await eventually(lambda: _leads(third))
        assert third.state.published == 0  # the marks are durable


async def _leads(relay: object) -> bool:
    return bool(relay.state.connected)  # type: ignore[attr-defined]


async def _published(relay: object, count: int) -> bool:
    return bool(relay.state.published >= count)  # type: ignore[attr-defined]


def test_a_shard_has_its_partition_for_ever() -> None:
    assert [partition_of(shard) for shard in range(64)] == [shard % 8 for shard in range(64)]

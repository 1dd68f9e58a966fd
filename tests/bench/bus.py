"""From the log to the broker, and on into another service, beside bare aiokafka with the same bytes."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from caselog.append import Appender
from caselog.outcomes import Appended, AppendRequest, NewFact
from caselog.read import LogReader
from chassis.eventing.kafka.cloudevents import Headers, encode
from chassis.eventing.kafka.connection import administering
from chassis.eventing.kafka.topic import PARTITIONS, partition_of
from chassis.eventing.relay import Relay
from deploy.local.postgres import OWNER
from schemas.envelope import SHARDS
from tests.bench.append import BODIES, appends
from tests.bench.consumed import PEER_TOPIC, READY, SENT_AT, Order
from tests.bench.harness import Bench, paired, sampled
from tests.bench.house import House, house_of
from tests.bench.lines import Aim, Line
from tests.bench.samples import NothingMeasured, Sample, median, percentile99, rate, understood
from tests.conftest import ROOT
from tests.databases import Databases

FACTS_PER_SECOND: Final = 15_000
"""So many facts are relayed in a round for each second that it may last."""
RATE: Final = 500
SERVICE: Final = "tests.bench.applied"
BARE: Final = "tests.bench.consumed"
"""The other ends of the bus, each a process of its own."""
Message = tuple[int, bytes, Headers]
"""Partition, value, headers."""
LEAST: Final = 2
"""So few have a percentile."""
Latency = tuple[Sample, Sample]
"""Median and 99th percentile in milliseconds."""


async def measure(bench: Bench) -> list[Line]:
    """The lines of the bus; the relay runs in this process, as its bare peers do, and the consumers in processes of their own."""
    async with house_of(bench, "bus_") as house:
        async with administering(house.connection) as admin:
            await admin.create_topics([NewTopic(PEER_TOPIC, num_partitions=PARTITIONS, replication_factor=1)])
        await _fill(house.databases, round(FACTS_PER_SECOND * bench.seconds))
        messages = await _messages(house.databases)
        bench.say(f"bus: {len(messages):,} facts from the log to the broker")
        relayed, sent, batched = [], [], []
        for _ in range(bench.rounds):
            relayed.append(await sampled(_relayed(house, len(messages))))
            sent.append(await sampled(_bare(house, messages, _one_by_one)))
            batched.append(await sampled(_bare(house, messages, _in_batches)))
        bench.say(f"bus: {RATE} facts a second into another service")
        ours, theirs = await _latencies(bench, house)
    name, beside = f"append -> applied in another service, {RATE}/s", "aiokafka produce to getmany"
    p50, p99 = (tuple(each) for each in zip(*ours, strict=True))
    bare50, bare99 = (tuple(each) for each in zip(*theirs, strict=True))
    soon, late = Aim(figure=10, at_most=True), Aim(figure=40, at_most=True)
    return [
        Line("relay", "relay log -> bus", tuple(relayed), "bare aiokafka send", tuple(sent), aim=Aim(ratio=0.7)),
        Line("relay-batches", "relay log -> bus", tuple(relayed), "bare aiokafka send_batch", tuple(batched)),
        Line("applied-p50", f"{name}, p50", p50, beside, bare50, "ms", soon),
        Line("applied-p99", f"{name}, p99", p99, beside, bare99, "ms", late),
    ]


async def _fill(databases: Databases, count: int) -> None:
    connection = await databases.connect("caselog", OWNER)
    while (missing := count - await connection.fetchval("SELECT count(*) FROM log.facts")) > 0:
        await appends(databases, 256, f"bus-{missing}", min(5.0, missing / 25_000 + 0.1))
    await connection.execute("ANALYZE log.facts")
    await connection.close()


async def _messages(databases: Databases) -> list[Message]:
    async with databases.reader() as log:
        facts = [fact for shard in range(SHARDS) for fact in await log.shard(shard, 0, 1_000_000)]
    facts.sort(key=lambda fact: fact.seq)  # about as they were appended, and not one partition after the other
    return [(partition_of(fact.shard), fact.body, encode(fact)) for fact in facts]


async def _relayed(house: House, count: int) -> Sample:
    """Facts per second from the log to the broker's acknowledgement, from the first mark on."""
    owner = await house.databases.connect("relay", OWNER)
    await owner.execute("DELETE FROM relay_marks")
    await owner.close()
    where = house.databases.where
    async with (
        asyncpg.create_pool(**where("caselog", "relay_reader"), min_size=1, max_size=2) as pool,
        asyncpg.create_pool(**where("relay", "relay"), min_size=2, max_size=3) as db,
    ):
        relay = Relay(connection=house.connection, log=LogReader(pool), db=db)
        task = asyncio.create_task(relay.run())
        try:
            await _soon(lambda: relay.state.connected)
            started = time.perf_counter()
            await _soon(lambda: relay.state.published >= count)
            return rate(count, time.perf_counter() - started, "relay")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - a state of another object
            await asyncio.sleep(0.002)


async def _bare(house: House, messages: Sequence[Message], send: Callable[[Any, Sequence[Message]], Awaitable[None]]) -> Sample:
    producer = AIOKafkaProducer(
        **house.connection.arguments(), acks="all", enable_idempotence=False, linger_ms=0, max_batch_size=262_144
    )
    await producer.start()
    try:
        started = time.perf_counter()
        await send(producer, messages)
        return rate(len(messages), time.perf_counter() - started, "bare aiokafka")
    finally:
        await producer.stop()


async def _one_by_one(producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    sent = [await producer.send(PEER_TOPIC, value=value, partition=at, headers=headers) for at, value, headers in messages]
    await asyncio.gather(*sent)


async def _in_batches(producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    by_partition: dict[int, list[Message]] = {}
    for message in messages:
        by_partition.setdefault(message[0], []).append(message)

    async def one(partition: int, run: Sequence[Message]) -> None:
        batch = producer.create_batch()
        for _, value, headers in run:
            while batch.append(key=None, value=value, timestamp=None, headers=headers) is None:
                await (await producer.send_batch(batch, PEER_TOPIC, partition=partition))
                batch = producer.create_batch()
        await (await producer.send_batch(batch, PEER_TOPIC, partition=partition))

    await asyncio.gather(*(one(partition, run) for partition, run in by_partition.items()))


async def _latencies(bench: Bench, house: House) -> tuple[list[Latency], list[Latency]]:
    """Each round of ours, and of the bare peer."""
    count, ours, theirs = max(LEAST, round(RATE * bench.seconds)), [], []
    async with house.running("relay", "chassis.runtime.relay_process"), house.databases.appender() as appender:
        for number in range(bench.rounds):
            tag = f"{number}-{random.randrange(1 << 30)}"
            ours.append(await paired(_through_the_house(house, appender, count, tag)))
            theirs.append(await paired(_through_the_broker(house, count)))
    return ours, theirs


async def _through_the_house(house: House, appender: Appender, count: int, tag: str) -> Latency:
    async def append(stream: str, step: int) -> None:
        identity = hashlib.sha256(stream.encode()).digest()
        fact = NewFact("case.withdrawn", 1, BODIES[step % len(BODIES)])
        assert isinstance(
            await appender.append(AppendRequest(stream, None, identity, identity, "citizen:x", None, b"{}", [fact])), Appended
        )

    async def flows(child: asyncio.subprocess.Process) -> None:
        for step in itertools.count():  # the group's first assignment takes a while; a look at the log would repair it meanwhile
            await append(f"case:flows-{tag}-{step}", step)
            try:
                async with asyncio.timeout(0.05):
                    await _read_ready(SERVICE, child)
                    return
            except TimeoutError:
                continue

    timed = f"case:timed-{tag}-"
    order = Order(count, house.broker.bootstrap, PARTITIONS, timed)
    return await _at_the_other_end(house, SERVICE, order, flows, lambda step: append(f"{timed}{step}", step))


async def _through_the_broker(house: House, count: int) -> Latency:
    producer = AIOKafkaProducer(**house.connection.arguments(), acks="all", enable_idempotence=False, linger_ms=0)
    await producer.start()

    async def produce(step: int) -> None:
        headers = [(SENT_AT, repr(time.time()).encode())]
        await (await producer.send(PEER_TOPIC, value=BODIES[step % len(BODIES)], partition=step % PARTITIONS, headers=headers))

    try:
        order = Order(count, house.broker.bootstrap, PARTITIONS)
        return await _at_the_other_end(house, BARE, order, partial(_read_ready, BARE), produce)
    finally:
        await producer.stop()


async def _read_ready(module: str, child: asyncio.subprocess.Process) -> None:
    """Wait for the child's first word. Raises NothingMeasured when it ends before, which also means that it has no answer."""
    assert child.stdout is not None
    try:
        said = await child.stdout.readexactly(len(READY))
    except asyncio.IncompleteReadError as cut:
        await child.wait()
        understood(cut.partial, child.returncode, module)
        raise NothingMeasured(f"{module} ended before it was ready") from None
    if said != READY:
        understood(said + await child.stdout.read(), await child.wait(), module)
        raise NothingMeasured(f"{module} answered before it was ready")


async def _at_the_other_end(
    house: House,
    module: str,
    order: Order,
    ready: Callable[[asyncio.subprocess.Process], Awaitable[None]],
    send: Callable[[int], Awaitable[None]],
) -> Latency:
    """Send at RATE, whether or not what came before has arrived; median and 99th percentile of how long each was on its way."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, env=house.environment("review"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(orjson.dumps(asdict(order)) + b"\n")
        await ready(child)
        async with asyncio.TaskGroup() as group:
            started = time.perf_counter()
            for step in range(order.count):
                await asyncio.sleep(max(0.0, started + step / RATE - time.perf_counter()))
                group.create_task(send(step))  # type: ignore[arg-type]
        out = await child.stdout.read()
        took: list[float] = understood(out, await child.wait(), module)
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
    return median(took, module), percentile99(took, module)

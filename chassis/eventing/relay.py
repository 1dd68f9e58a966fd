"""The relay: reads each shard after its mark and publishes to Kafka. At least once, in the order of each shard.

No transactions and no idempotent producer: after a wiped broker producer ids begin anew, and an acknowledged send was then
deduplicated away. Sequence and hash do their work instead (design.md section 4).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import BatchBuilder
from prometheus_client import Counter, Gauge

from caselog.db.queries import Queries
from caselog.read import LogReader
from chassis.eventing.kafka.cloudevents import encode
from chassis.eventing.kafka.connection import REFUSED_SECONDS, BrokerRefused, KafkaConnection
from chassis.eventing.kafka.topic import TOPIC, check_write_access, ensure, partition_of
from schemas.envelope import SHARDS, RecordedFact

_log = structlog.get_logger("relay")
PAGE: Final = 100
"""Facts of one shard in one read of the log."""
LOOK_SECONDS: Final = 0.5
"""Interval at which the lag behind the log's heads is measured."""
KEEP_SECONDS: Final = 0.1
"""Interval at which marks are saved: each save costs a commit, and a lost mark only repeats messages."""
IDLE_SECONDS: Final = (0.002, 0.05)
"""Shortest and longest pause between two polls of an unchanged log."""
PUBLISHED: Final = Counter("parvandeh_facts_published", "Facts that the broker acknowledged", registry=None)
BEHIND: Final = Gauge("parvandeh_relay_behind", "Facts that are not published yet", registry=None)
METRICS: Final = (PUBLISHED, BEHIND)
"""What the relay alone exports."""
RETRY_SECONDS: Final = 0.5
BEAT_SECONDS: Final = 1.0
"""Heartbeat interval of the leading relay; after five silent seconds PostgreSQL takes the lead away."""
SEND_SECONDS: Final = 15.0
STOP_SECONDS: Final = 3.0
MIGRATIONS: Final = Path(__file__).parent / "migrations" / "relay"


@dataclass
class RelayState:
    """What `/ready` and the metrics show."""

    leading: bool = False
    connected: bool = False
    published: int = 0
    behind: int = 0
    """Facts that are not published yet, at the last look."""


class Relay:
    """Publishes the log; one leads at a time by an advisory lock, a second one waits."""

    def __init__(self, *, connection: KafkaConnection, log: LogReader, db: asyncpg.Pool) -> None:
        self._connection, self._log, self._db = connection, log, db
        self._sql = Queries.load(Path(__file__).with_name("relay.sql"))
        self._marks: dict[int, int] = {}
        self._kept: dict[int, int] = {}
        self.state = RelayState()

    async def run(self) -> None:
        """Publish until cancelled; a broker or a database that is away is waited for, and so is one that refuses us."""
        await _first_to_end(self._publish_for_ever(), self._watch())

    async def _publish_for_ever(self) -> None:
        while True:
            rest = RETRY_SECONDS
            try:
                async with self._db.acquire() as lock:
                    await self._lead(lock)
            except BrokerRefused as refusal:
                _log.error("relay_refused", reason=str(refusal))
                rest = REFUSED_SECONDS
            except Exception as error:  # noqa: BLE001 - a relay that died unseen would leave the bus silent
                _log.warning("relay_interrupted", error=type(error).__name__)
            finally:
                self.state.leading = self.state.connected = False
            await asyncio.sleep(rest)

    async def _lead(self, lock: asyncpg.Connection) -> None:
        if not await lock.fetchval(self._sql.lead):
            return
        await lock.execute(self._sql.lose_the_lead_when_silent)
        self.state.leading = True
        await _first_to_end(self._beat(lock), self._publish(lock))

    async def _beat(self, lock: asyncpg.Connection) -> None:
        """Raises when the session of the lead is gone, so that a relay that was frozen steps back as soon as it goes on."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await lock.execute(self._sql.beat)

    async def _publish(self, lock: asyncpg.Connection) -> None:
        await check_write_access(self._connection)
        fresh = await ensure(self._connection)
        marks = await self._read_marks()
        self._marks, self._kept = marks, dict(marks)
        if fresh and marks:
            # A wiped broker: go on at the log's head, since publishing years again would hold up today; readers repair the rest.
            self._marks = marks = {shard: head.seq for shard, head in (await self._log.heads()).items()}
            await self._keep(marks)
            _log.warning("broker_was_wiped")
        producer = AIOKafkaProducer(
            **self._connection.arguments(),
            acks="all",
            enable_idempotence=False,
            linger_ms=0,
            max_batch_size=262_144,
            request_timeout_ms=5000,
            metadata_max_age_ms=5000,
        )
        await producer.start()
        self.state.connected = True
        try:
            await self._publish_pages(producer, marks, lock)
        finally:
            self.state.connected = False
            with suppress(TimeoutError):  # it would wait for a silent broker to take what is sent anew in any case
                async with asyncio.timeout(STOP_SECONDS):
                    await producer.stop()

    async def _publish_pages(self, producer: AIOKafkaProducer, marks: dict[int, int], lock: asyncpg.Connection) -> None:
        """Read one page while the one before is on its way to the broker; a mark moves only when the broker has acknowledged."""
        ahead, rest = {shard: marks.get(shard, 0) for shard in range(SHARDS)}, IDLE_SECONDS[0]
        kept_at = 0.0
        under_way = asyncio.create_task(self._deliver(producer, [], marks))
        try:
            while not lock.is_closed():
                facts = await self._log.following(ahead, PAGE)
                await under_way
                now = time.monotonic()
                if now - kept_at > KEEP_SECONDS:
                    kept_at = now
                    await self._keep(marks)
                if facts:
                    rest = IDLE_SECONDS[0]
                    ahead.update({fact.shard: fact.seq for fact in facts})
                    under_way = asyncio.create_task(self._deliver(producer, facts, marks))
                else:
                    await asyncio.sleep(rest)  # the log is asked again; nothing waits for a fixed time
                    rest = min(rest * 1.5, IDLE_SECONDS[1])
        finally:
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)

    async def _watch(self) -> None:
        """Show how far behind the broker is: above all while it takes nothing, and also while another relay leads."""
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - a watch that died unseen would show an old figure for ever
                _log.warning("figures_interrupted", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        heads = await self._log.heads()
        marks = self._marks if self.state.connected else await self._read_marks()
        self.state.behind = sum(max(0, head.seq - marks.get(shard, 0)) for shard, head in heads.items())
        BEHIND.set(self.state.behind)

    async def _deliver(self, producer: AIOKafkaProducer, facts: Sequence[RecordedFact], marks: dict[int, int]) -> None:
        """Send, wait until the broker has acknowledged all, then move the marks."""
        batches: dict[int, list[BatchBuilder]] = {}
        for fact in facts:
            headers, partition = encode(fact), partition_of(fact.shard)
            of_partition = batches.get(partition) or batches.setdefault(partition, [producer.create_batch()])
            while of_partition[-1].append(key=None, value=fact.body, timestamp=None, headers=headers) is None:
                of_partition.append(producer.create_batch())
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await asyncio.gather(*(_send(producer, partition, in_order) for partition, in_order in batches.items()))
        except TopicAuthorizationFailedError:
            raise BrokerRefused(
                f"the user {self._connection.user} may not write {TOPIC}: `python -m deploy.kafka acls`"
            ) from None
        marks.update({fact.shard: fact.seq for fact in facts})
        self.state.published += len(facts)
        PUBLISHED.inc(len(facts))

    async def _read_marks(self) -> dict[int, int]:
        return {row["shard"]: row["seq"] for row in await self._db.fetch(self._sql.marks)}

    async def _keep(self, marks: Mapping[int, int]) -> None:
        """Write down the marks that moved. What was not written down is published again after a restart, and skipped."""
        moved = {shard: seq for shard, seq in marks.items() if self._kept.get(shard) != seq}
        if moved:
            await self._db.execute(self._sql.mark, list(moved), list(moved.values()))
            self._kept.update(moved)


async def _send(producer: AIOKafkaProducer, partition: int, batches: Sequence[BatchBuilder]) -> None:
    """The batches of one partition, one after the other: a shard's facts must not overtake each other."""
    for batch in batches:
        await (await producer.send_batch(batch, TOPIC, partition=partition))


async def _first_to_end(*works: Coroutine[None, None, None]) -> None:
    """Run all until one ends, with its result or its exception; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

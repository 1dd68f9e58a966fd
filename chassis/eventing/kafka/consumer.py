"""The Kafka door of an inbox: a FastStream batch subscriber with manual acknowledgement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
import stamina
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.prometheus import KafkaPrometheusMiddleware
from faststream.types import BrokerMiddleware
from opentelemetry import trace
from prometheus_client import CollectorRegistry

from caselog.db.errors import TRANSIENT
from chassis.eventing.kafka.cloudevents import Unreadable, decode
from chassis.eventing.kafka.connection import REFUSED_SECONDS, BrokerRefused, KafkaConnection
from chassis.eventing.kafka.topic import TOPIC, check_read_access, ensure
from chassis.eventing.processors.inbox import FORGED, Inbox
from chassis.settings import Settings
from schemas.envelope import RecordedFact

_log = structlog.get_logger("inbox")
stamina.instrumentation.set_on_retry_hooks([])  # its own would log what was called, and with which arguments
BACK_OFF: Final = {"wait_initial": 0.1, "wait_max": 5.0, "wait_jitter": 0.0, "wait_exp_base": 3}
"""Seconds: 0.1, 0.3, 0.9, 2.7, then 5. In vain the same is asked again for ever."""
MAX_RECORDS: Final = 500
IDLE_MILLISECONDS: Final = 20
"""FastStream rests as long again after an empty look, and a message that comes meanwhile waits: 200 ms at its default."""
COMMIT_EVERY_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 1.0
NOT_ASKED: Final = "the broker was not asked yet"
"""What `inbox.refused` says until the first answer: a process with a wrong password must not be ready for that moment."""
COMMIT_SECONDS: Final = 5.0
LINKS: Final = 128
"""So many links a span holds, by OpenTelemetry's default: to read more headers would be for nothing."""
STOP_SECONDS: Final = 3.0


def subscription(
    connection: KafkaConnection,
    group: str,
    inbox: Inbox,
    observers: Sequence[BrokerMiddleware[Any, Any]] = (),
    *,
    traced: bool = False,
) -> KafkaBroker:
    """A broker, not started, whose subscriber feeds `inbox` as consumer group `group`.

    `observers` watch each batch; `traced`: one of them asks from which traces its facts came.
    """
    # FastStream would make missing topics with settings of its own, and start() then hangs.
    broker = KafkaBroker(
        list(connection.bootstrap),
        security=connection.security(),
        consumer_only=True,  # a service has no right to write, and needs no producer that could
        allow_auto_create_topics=False,
        metadata_max_age_ms=2000,
        request_timeout_ms=10_000,
        apply_types=False,
        middlewares=observers,
        logger=None,  # its lines are not JSON, and say received and processed for every batch
    )
    offsets = Offsets()

    @broker.subscriber(
        TOPIC,
        group_id=group,
        batch=True,
        max_records=MAX_RECORDS,
        batch_timeout_ms=IDLE_MILLISECONDS,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,  # else a header could make the service publish to a topic of the sender's choice
        parser=_parse_traced if traced else _parse,
        decoder=_decode,
    )
    async def take(message: Any) -> None:
        records: tuple[ConsumerRecord, ...] = message.raw_message
        await _until_taken(inbox, facts_of(records))
        await offsets.take(message, records)

    return broker


@asynccontextmanager
async def running_bus(
    settings: Settings, group: str, inbox: Inbox, registry: CollectorRegistry | None = None
) -> AsyncIterator[None]:
    """The subscriber as long as the block lives, for an inbox that has a bus; its figures go into `registry`.

    A broker that is away at the start is waited for in the background. The service answers meanwhile and the log repairs: a
    door must not stay shut because the bus is away. One that refuses us is told by `inbox.refused`: that is a mistake in the
    settings, and a new process with it must not take the place of an old. Raises Unset when the settings name no way to the
    bus that this environment allows.
    """
    if not inbox.bus:
        yield
        return
    inbox.refused = NOT_ASKED
    connection, observers = KafkaConnection.of(settings), observers_of(settings, group, registry)
    task = asyncio.create_task(_keep_subscribed(connection, group, inbox, observers, traced=bool(settings.otlp)), name="bus")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def observers_of(settings: Settings, group: str, registry: CollectorRegistry | None = None) -> list[BrokerMiddleware[Any, Any]]:
    """What watches each batch: FastStream's metrics in `registry`, and its spans where a collector takes them.

    Made once for a process: a second subscription, after the broker was away, must not register the same metrics again.
    """
    found: list[BrokerMiddleware[Any, Any]] = []
    if registry is not None:
        found.append(KafkaPrometheusMiddleware(registry=registry, app_name=group, metrics_prefix="parvandeh_bus"))
    if settings.otlp:
        # Imported here: a house without a collector need not pay for it, nor for two spans a batch.
        from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware

        found.append(KafkaTelemetryMiddleware(tracer_provider=trace.get_tracer_provider()))
    return found


async def _keep_subscribed(
    connection: KafkaConnection, group: str, inbox: Inbox, observers: Sequence[BrokerMiddleware[Any, Any]], *, traced: bool
) -> None:
    while True:
        broker, rest = subscription(connection, group, inbox, observers, traced=traced), RETRY_SECONDS
        try:
            await ensure(connection)  # a consumer of a missing topic blocks in start(), and so does one that may not read
            await check_read_access(connection, group)
            inbox.refused = None
            await broker.start()
            await asyncio.Event().wait()
        except BrokerRefused as refusal:
            inbox.refused = str(refusal)
            _log.error("bus_refused", group=group, reason=inbox.refused)
            rest = REFUSED_SECONDS
        except Exception as error:  # noqa: BLE001 - a subscription that died unseen would leave all work to the log
            _log.warning("bus_away", error=type(error).__name__)
            if inbox.refused is NOT_ASKED:
                inbox.refused = None
        finally:
            with suppress(TimeoutError):  # a broker that accepts and never answers must not hold our own end
                async with asyncio.timeout(STOP_SECONDS):
                    await broker.stop()
        await asyncio.sleep(rest)


async def _parse(message: tuple[ConsumerRecord, ...], original: Any) -> KafkaMessage:
    """A message without looking at headers: the default parser loses a batch over one header that is null or not UTF-8.

    The body is the values, for whoever observes their sizes; a record may be empty.
    """
    body = [record.value or b"" for record in message]
    return KafkaMessage(body=body, headers={}, raw_message=message, consumer=original.__self__._consumer)


async def _parse_traced(message: tuple[ConsumerRecord, ...], original: Any) -> KafkaMessage:
    """The same, with the `traceparent` of each record: the span of the batch is linked to the traces that its facts came from."""
    parsed = await _parse(message, original)
    parsed.batch_headers = [
        # FastStream makes one link for each correlation id, and there is none on the wire.
        {"correlation_id": f"{record.partition}:{record.offset}", "traceparent": value.decode("latin-1")}
        for record in message[:LINKS]
        for name, value in record.headers
        if name == "traceparent" and value
    ]
    return parsed


async def _decode(message: Any) -> Any:
    return message


def facts_of(records: tuple[ConsumerRecord, ...]) -> list[RecordedFact]:
    """The facts in `records`; what cannot be read is dropped and counted, since the log repairs it."""
    facts = []
    for record in records:
        try:
            facts.append(decode(record.headers, record.value))
        except Unreadable as error:
            FORGED.labels("unreadable").inc()
            _log.error("message_dropped", partition=record.partition, offset=record.offset, reason=f"unreadable {error}")
    return facts


async def _until_taken(inbox: Inbox, facts: list[RecordedFact]) -> None:
    # The database is away: the batch is kept in hand and not acknowledged, since the next one would be applied past it.
    async for attempt in stamina.retry_context(on=_is_away, attempts=None, timeout=None, **BACK_OFF):
        with attempt:
            await inbox.take(facts)


def _is_away(error: Exception) -> bool:
    if not isinstance(error, (asyncpg.PostgresError, *TRANSIENT)):
        return False
    _log.warning("inbox_waits", error=type(error).__name__)
    return True


class Offsets:
    """The offsets of a group. They only save reading again after a restart; the checkpoints in the database are what counts."""

    def __init__(self) -> None:
        self._taken: dict[TopicPartition, int] = {}
        self._committed_at = float("-inf")

    async def take(self, message: KafkaMessage, records: tuple[ConsumerRecord, ...]) -> None:
        """These records are applied. Committed now and then: a round trip to the broker after each batch held up the next."""
        self._taken |= {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        if time.monotonic() - self._committed_at < COMMIT_EVERY_SECONDS:
            return
        taken, self._taken, self._committed_at = self._taken, {}, time.monotonic()
        try:
            async with asyncio.timeout(COMMIT_SECONDS):  # the driver asks a silent coordinator for ever
                await message.consumer.commit(taken)  # type: ignore[call-arg]
        except (KafkaError, TimeoutError) as error:
            _log.info("offsets_not_committed", error=type(error).__name__)

"""What FastStream does for a subscription beside reading: its metrics, its spans, its AsyncAPI document.

The bus is not the subject here: FastStream's own test broker starts the subscriber, and no Kafka is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from unittest.mock import AsyncMock

import asyncpg
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from faststream.kafka import TestKafkaBroker
from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware
from faststream.specification import AsyncAPI
from faststream.types import BrokerMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr

from chassis.eventing.kafka import consumer
from chassis.eventing.kafka.cloudevents import encode
from chassis.eventing.kafka.connection import KafkaConnection
from chassis.eventing.kafka.consumer import observers_of, subscription
from chassis.eventing.kafka.topic import TOPIC
from chassis.eventing.processors.inbox import FORGED, Inbox
from chassis.settings import Settings
from deploy.openapi.documents import DOORS
from schemas.asyncapi import asyncapi_text
from schemas.envelope import RecordedFact
from tests.caselog.vectors import facts

NOWHERE = KafkaConnection(("127.0.0.1:1",))
SECURED = KafkaConnection(("kafka-1.invalid:9093", "kafka-2.invalid:9093"), user="review", password=SecretStr("hunter2-x"))
TRACE = "0af7651916cd43dd8448eb211c80319c"
Headers = Sequence[tuple[str, bytes | None]]


class Taking:
    """An inbox of which only what it takes is looked at; the database is away the first `away` times, `fault` comes then."""

    def __init__(self, away: int = 0, fault: Exception | None = None) -> None:
        self.taken: list[RecordedFact] = []
        self.away, self.fault = away, fault

    async def take(self, facts: Sequence[RecordedFact]) -> None:
        if self.away:
            self.away -= 1
            raise asyncpg.CannotConnectNowError("it is starting up")
        if self.fault is not None:
            raise self.fault
        self.taken += facts


def record(offset: int, value: bytes | None, headers: Headers) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(TOPIC, 3, offset, 0, 0, None, value, None, 0, len(value or b""), headers)


@asynccontextmanager
async def subscribed(
    monkeypatch: pytest.MonkeyPatch, observers: Sequence[BrokerMiddleware[Any, Any]], *, traced: bool = False
) -> AsyncIterator[tuple[Any, Taking, AsyncMock]]:
    """A subscriber that is given batches, its inbox, and where it commits."""
    inbox, commit = Taking(), AsyncMock()
    monkeypatch.setattr("faststream.kafka.message.FakeConsumer.commit", commit)
    async with TestKafkaBroker(subscription(NOWHERE, "review", cast(Inbox, inbox), observers, traced=traced)) as broker:
        (subscriber,) = broker.subscribers
        yield subscriber, inbox, commit


async def test_a_batch_is_counted_once_in_the_registry_of_the_process_and_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, sent = CollectorRegistry(), facts()
    async with subscribed(monkeypatch, observers_of(Settings(), "review", registry)) as (subscriber, inbox, commit):
        await subscriber.process_message(tuple(record(n, fact.body, encode(fact)) for n, fact in enumerate(sent)))
    assert inbox.taken == sent
    commit.assert_awaited_once_with({TopicPartition(TOPIC, 3): len(sent)})
    labels = {"app_name": "review", "broker": "kafka", "handler": TOPIC}
    assert registry.get_sample_value("parvandeh_bus_received_messages_total", labels) == len(sent)
    size = registry.get_sample_value("parvandeh_bus_received_messages_size_bytes_sum", labels)
    assert size == sum(len(fact.body) for fact in sent)
    assert registry.get_sample_value("parvandeh_bus_received_processed_messages_duration_seconds_count", labels) == 1
    assert not re.search("kerman|شماره", generate_latest(registry).decode())  # neither a case nor a body


async def test_a_record_that_is_empty_or_damaged_costs_no_other_of_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    good = facts()[0]
    damaged = FORGED.labels("unreadable")._value.get()
    batch = (
        record(0, None, [("traceparent", None)]),
        record(1, good.body, [("traceparent", b"\xff\xfe"), ("x", None), *encode(good)]),
        record(2, b"\xff", [("ce_type", b"\xff")]),
    )
    telemetry = KafkaTelemetryMiddleware(tracer_provider=TracerProvider())
    observers = [*observers_of(Settings(), "review", CollectorRegistry()), telemetry]
    async with subscribed(monkeypatch, observers, traced=True) as (subscriber, inbox, commit):
        await subscriber.process_message(batch)
    assert len(inbox.taken) + FORGED.labels("unreadable")._value.get() - damaged == len(batch)
    commit.assert_awaited_once_with({TopicPartition(TOPIC, 3): 3})


async def test_the_span_of_a_batch_is_linked_to_the_traces_of_its_facts_and_says_nothing_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    headers: Headers = [("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())]
    sent = [record(n, fact.body, [*headers, *encode(fact)]) for n, fact in enumerate(facts())]
    async with subscribed(monkeypatch, [KafkaTelemetryMiddleware(tracer_provider=provider)], traced=True) as (subscriber, *_):
        await subscriber.process_message(tuple(sent))
    created, processed = exporter.get_finished_spans()
    assert {link.context.trace_id for link in created.links} == {int(TRACE, 16)}
    assert (processed.name, dict(processed.attributes or {})["messaging.batch.message_count"]) == (f"{TOPIC} process", len(sent))
    assert not re.search("kerman|شماره|clerk", created.to_json() + processed.to_json())


async def test_a_database_that_is_away_is_asked_again_with_rests_that_grow_to_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("asyncio.sleep", rest)
    inbox, sent = Taking(away=7), facts()
    await consumer._until_taken(cast(Inbox, inbox), sent)
    assert inbox.taken == sent
    assert [round(each, 1) for each in rests] == [0.1, 0.3, 0.9, 2.7, 5.0, 5.0, 5.0]
    assert "kerman" not in capsys.readouterr().out  # what is asked again holds facts: its arguments are logged nowhere


async def test_a_fault_of_ours_is_not_asked_again() -> None:
    with pytest.raises(ValueError, match="ours"):
        await consumer._until_taken(cast(Inbox, Taking(fault=ValueError("ours"))), facts())


def test_spans_are_made_only_where_a_collector_takes_them() -> None:
    assert observers_of(Settings(), "review") == []
    (only,) = observers_of(Settings(otlp="http://127.0.0.1:1"), "review")
    assert isinstance(only, KafkaTelemetryMiddleware)


@pytest.mark.parametrize("connection", [NOWHERE, SECURED], ids=["plain", "secured"])
def test_the_document_that_faststream_makes_agrees_with_the_published_one(connection: KafkaConnection) -> None:
    broker = subscription(connection, "review", cast(Inbox, Taking()))
    made = json.loads(AsyncAPI(broker, title="review", version="1").to_specification().to_json())
    ours = json.loads(asyncapi_text())
    (channel,) = made["channels"].values()
    assert channel["address"] == ours["channels"]["caseFacts"]["address"]
    assert {operation["action"] for operation in made["operations"].values()} == {"receive"}  # a service sends nothing
    servers = made["servers"].values()
    assert {server["host"] for server in servers} == set(connection.bootstrap)
    assert "hunter2" not in json.dumps(made)
    if connection.user:
        (published,) = ours["servers"].values()
        assert {server["protocol"] for server in servers} == {published["protocol"]}
        (scheme,), (expected,) = made["components"]["securitySchemes"].values(), ours["components"]["securitySchemes"].values()
        assert scheme["type"] == expected["type"]
        assert all(server["security"] for server in [published, *servers])


@pytest.mark.parametrize("process", DOORS)
def test_no_door_has_the_route_that_would_run_a_handler(process: str) -> None:
    assert not [route for route in DOORS[process](Settings()).routes if "asyncapi" in getattr(route, "path", "")]

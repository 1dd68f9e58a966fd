"""What a collector is told of SQL: the statement with its placeholders, and never a parameter, even where it fails."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from chassis.settings import Settings
from deploy.local.postgres import OWNER
from tests.databases import Databases

SECRET = "0012345679"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    found, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(telemetry.WithoutTexts(found)))
    telemetry.trace_statements(provider)
    yield found
    AsyncPGInstrumentor().uninstrument()  # type: ignore[no-untyped-call]


async def test_a_statement_is_a_span_without_its_parameters(databases: Databases, exporter: InMemorySpanExporter) -> None:
    connection = await databases.connect("postgres", OWNER)
    try:
        await connection.execute("CREATE TEMP TABLE people (code text UNIQUE)")
        await connection.execute("INSERT INTO people VALUES ($1)", SECRET)
        with pytest.raises(asyncpg.UniqueViolationError) as refused:
            await connection.execute("INSERT INTO people VALUES ($1)", SECRET)
    finally:
        await connection.close()
    assert SECRET in str(refused.value)  # what the driver's error says must not leave with the span
    spans = exporter.get_finished_spans()
    assert [dict(span.attributes or {})["db.statement"] for span in spans][-2:] == ["INSERT INTO people VALUES ($1)"] * 2
    assert spans[-1].status.status_code is trace.StatusCode.ERROR
    assert SECRET not in "".join(span.to_json() for span in spans)


def test_without_a_collector_no_statement_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TracerProvider] = []
    monkeypatch.setattr(telemetry, "trace_statements", asked.append)
    monkeypatch.setattr("opentelemetry.trace.set_tracer_provider", lambda _: None)
    monkeypatch.setattr("structlog.configure", lambda **_: None)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    telemetry.configure("review", Settings())
    assert asked == []
    assert not hasattr(asyncpg.Connection.execute, "__wrapped__")
    telemetry.configure("review", Settings(otlp="http://127.0.0.1:1"))
    assert len(asked) == 1
    asked[0].shutdown()

"""Logs as JSON lines and traces by OpenTelemetry, with no personal data in either (design.md section 8)."""

from __future__ import annotations

import logging
import platform
import sys
import time
from collections.abc import Sequence
from typing import Final

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, GCCollector, Histogram, Info, PlatformCollector, ProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.settings import Settings
from schemas.build import Build

_TRACER: Final = trace.get_tracer("parvandeh")
REQUESTS: Final = Histogram(
    "parvandeh_http_seconds", "Requests by route and status", ["route", "method", "status"], registry=None
)


def registry_of(*metrics: Collector) -> CollectorRegistry:
    """The registry of one process: `metrics` are what it does itself, beside the interpreter's own and `parvandeh_build_info`.

    Not prometheus_client's global registry: whatever a module imports would be exported there, and the alarm for a relay that
    is behind would look at processes that know nothing of it and say 0.
    """
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    build = Build.of()
    info = Info("parvandeh_build", "The code that runs", registry=registry)
    info.info({"version": build.version, "commit": build.commit, "python": platform.python_version()})
    for each in metrics:
        registry.register(each)
    return registry


def configure(service: str, settings: Settings) -> None:
    """Log one JSON line per record to stdout, and export spans where a collector is given."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_trace,
            # Never format_exc_info: the text of an exception may repeat what a person entered.
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_TypeOnly())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    provider = TracerProvider(resource=Resource.create({"service.name": f"parvandeh-{service}"}))
    if settings.otlp:
        exporter = OTLPSpanExporter(f"{settings.otlp.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(WithoutTexts(exporter)))
        trace_statements(provider)
    trace.set_tracer_provider(provider)


def trace_statements(provider: TracerProvider) -> None:
    """A span for each SQL statement: its text, which has placeholders only, and never a parameter.

    Only where a collector takes the spans: each statement runs through a wrapper from then on.
    """
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

    AsyncPGInstrumentor(capture_parameters=False).instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]


class WithoutTexts(SpanExporter):
    """Hands spans on without what exceptions say: PostgreSQL's message may repeat a parameter, and ours what a person entered."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what is left of them."""
        return self._exporter.export([_without_texts(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class _TypeOnly(logging.Formatter):
    """A library's log line as logger, line and exception type: its text and its traceback may repeat what a person entered."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        line = {
            "event": "library",
            "level": record.levelname.lower(),
            "logger": record.name,
            "line": record.lineno,
            "error": error,
        }
        return orjson.dumps(line).decode()


def _with_trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace"] = f"{context.trace_id:032x}"
    return event


class TraceMiddleware:
    """A span and a duration for each request, named by the route's pattern: a path may hold the id of a case."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        context = TraceContextTextMapPropagator().extract({"traceparent": headers.get("traceparent", "")})
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        with _TRACER.start_as_current_span("http", context=context) as span:
            try:
                await self.app(scope, receive, answer)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.response.status_code", status)
                REQUESTS.labels(route, scope["method"], str(status)).observe(time.perf_counter() - began)

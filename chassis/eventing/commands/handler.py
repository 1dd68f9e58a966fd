"""Load, decide, seal, append; decide again on a version conflict. The one way in which a service writes."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Protocol, TypeVar

import orjson
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Histogram
from pydantic import BaseModel, ConfigDict

from caselog.append import Appender
from caselog.outcomes import Appended, AppendRequest, Conflict, EventPosition, NewFact, Refused, Repeated
from caselog.read import Loaded, LogReader
from chassis.eventing.commands.ids import request_hash
from chassis.refusal import Busy, PageIsStale, RequestDiffers
from schemas.calendar import IRAN, WorkingTime
from schemas.fact import Fact
from schemas.facts import FACTS, AnyFact, decode, encode

S = TypeVar("S")
C = TypeVar("C", bound="Command")
ATTEMPTS: Final = 20
APPENDED: Final = Histogram(
    "parvandeh_append_seconds",
    "Appends by outcome",
    ["outcome"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=None,
)
_TRACER: Final = trace.get_tracer("parvandeh")


class Command(BaseModel):
    """Something that somebody wants done: imperative, frozen, private to its service, never on the bus."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    UNHASHED: ClassVar[frozenset[str]] = frozenset()
    """Fields that differ on each retry of the same request (random ids of stored bytes) and so do not tell requests apart."""


class Seals(Protocol):
    """What handling needs of the vault."""

    async def seal(self, facts: Sequence[Fact], *, log_id: str, stream: str, command: bytes) -> list[Fact]:
        """The facts with every clear value sealed; keys are durable before it returns."""


class AppendRefused(Exception):
    """The log refuses what this service tried to write: a fault of ours, never of the person who asked."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command."""

    stream: str
    events: tuple[EventPosition, ...]
    recorded_at: datetime
    log_id: str
    epoch: int
    repeated: bool
    """Whether the command had been carried out before; the places are then the original ones."""


class CommandHandler:
    """Handles the commands of one service."""

    def __init__(
        self, *, appender: Appender, reader: LogReader, vault: Seals, service_key: bytes, working_time: WorkingTime = IRAN
    ) -> None:
        """`working_time`: by which calendar the decisions of this process are made."""
        self.working_time = working_time
        self._appender, self._reader, self._vault = appender, reader, vault
        self._service_key = service_key

    async def handle(
        self,
        command: C,
        *,
        stream: str,
        command_id: bytes,
        actor: str,
        initial: S,
        evolve: Callable[[S, AnyFact, datetime], S],
        decide: Callable[[C, S, datetime], Sequence[Fact]],
        cause: str | None = None,
        expected_by_page: int | None = None,
        loaded: Loaded | None = None,
    ) -> CommandResult:
        """Carry out `command` on `stream` and answer where its facts stand.

        `loaded`: the stream as `find_previous` found it; it is read again only when another wrote meanwhile.

        `expected_by_page` is the version of the stream that the person read; another's change since refuses as PageIsStale.
        Raises what `decide` refuses, RequestDiffers, Busy after many conflicts, LogUnavailable (sending again is safe then).
        """
        with _TRACER.start_as_current_span(f"handle {type(command).__name__}"):
            request = self._request(command)
            for _ in range(ATTEMPTS):
                loaded = loaded or await self._reader.load(stream)
                if before := self._before(loaded, command_id, request):
                    return before
                _refuse_stale(loaded, expected_by_page, actor)
                state = initial
                for each in loaded.facts:
                    state = evolve(state, decode(each.type, each.type_version, each.body), each.recorded_at)
                facts = decide(command, state, loaded.at)
                done = await self._append(facts, loaded, stream, command_id, request, actor, cause)
                if done is not None:
                    return done
                loaded = None
            raise Busy

    def _request(self, command: Command) -> bytes:
        values = command.model_dump(mode="json", exclude=set(command.UNHASHED))
        return request_hash(self._service_key, type(command).__name__, values)

    async def find_previous(self, command: Command, *, stream: str, command_id: bytes) -> CommandResult | Loaded:
        """What became of `command` when it was carried out before, asked before costly preparations; else the stream."""
        loaded = await self._reader.load(stream)
        return self._before(loaded, command_id, self._request(command)) or loaded

    def _before(self, loaded: Loaded, command_id: bytes, request: bytes) -> CommandResult | None:
        facts = [each for each in loaded.facts if each.command == command_id]
        if not facts:
            return None
        if not hmac.compare_digest(facts[0].request, request):
            raise RequestDiffers
        events = tuple(EventPosition(each.position, each.version, each.link) for each in facts)
        first = facts[0]
        return CommandResult(first.stream, events, first.recorded_at, first.log_id, first.epoch, repeated=True)

    async def _append(
        self, facts: Sequence[Fact], loaded: Loaded, stream: str, command_id: bytes, request: bytes, actor: str, cause: str | None
    ) -> CommandResult | None:
        if not facts:
            raise AppendRefused("a decision without facts")
        log_id = (await self._reader.identity()).log_id
        sealed = await self._vault.seal(facts, log_id=log_id, stream=stream, command=command_id)
        began = time.perf_counter()
        outcome = await self._appender.append(
            AppendRequest(
                stream=stream,
                # Pure records name no version and cannot conflict (design.md section 3).
                expected=None if all(fact.RECORD for fact in facts) else loaded.version,
                command=command_id,
                request=request,
                actor=actor,
                cause=cause,
                meta=_meta(),
                facts=[NewFact(fact.TYPE, fact.VERSION, encode(fact)) for fact in sealed],
            )
        )
        APPENDED.labels(type(outcome).__name__.lower()).observe(time.perf_counter() - began)
        match outcome:
            case Appended() | Repeated():
                repeated = isinstance(outcome, Repeated)
                return CommandResult(stream, outcome.events, outcome.recorded_at, outcome.log_id, outcome.epoch, repeated)
            case Conflict():
                return None
            case Refused(reason="request_differs"):
                raise RequestDiffers
            case Refused(reason=reason):
                raise AppendRefused(reason)


def _refuse_stale(loaded: Loaded, expected_by_page: int | None, actor: str) -> None:
    """Refuse when another person changed the case since it was read.

    Records (a message was sent), what the agenda did (a target was set) and what the same person did are no reason to send
    somebody back; a change that matters to the decision is refused by `decide` in any case.
    """
    if expected_by_page is None:
        return
    for each in loaded.facts:
        known = FACTS.get(each.type)
        by_another = each.cause is None and each.actor != actor
        if each.version > expected_by_page and by_another and (known is None or not known.RECORD):
            raise PageIsStale


def _meta() -> bytes:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return orjson.dumps(carrier)

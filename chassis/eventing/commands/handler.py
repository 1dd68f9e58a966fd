"""Load, decide, seal, append; decide again on a version conflict. The one way in which a service writes."""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Generic, Protocol, TypeVar

import orjson
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Histogram
from pydantic import BaseModel, ConfigDict

from caselog.append import Appender
from caselog.outcomes import Appended, AppendRequest, Conflict, EventPosition, NewFact, Refused, Repeated
from caselog.read import Loaded, LogReader
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.commands.decider import Decider
from chassis.eventing.commands.ids import NEW, case_id_of, http_command, request_hash
from chassis.principal import Principal
from chassis.refusal import Busy, PageIsStale, RequestDiffers
from schemas.envelope.calendar import IRAN, WorkingTime
from schemas.envelope.fact import Fact

S = TypeVar("S")
C = TypeVar("C", bound="Command")
ATTEMPTS: Final = 20
SYSTEM: Final = "system"
"""The role of what no signed-in person does: the agenda, and registration from a terminal."""
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
    BEGINS: ClassVar[bool] = False
    """Whether it begins a stream, whose name is then derived from the command's id (`CommandHandler.new_case`)."""

    ROUTE: ClassVar[str] = ""
    """What tells a person's request apart, beside its key, from requests of other kinds; empty: the command's name."""

    def route(self) -> str:
        """The route of this command: a part of the command id, so it never changes."""
        return self.ROUTE or f"/{type(self).__name__}"

    def within(self) -> str:
        """What within the stream it is about, where one key may serve several (a document, a question); also part of the id."""
        return ""


class Seals(Protocol):
    """What handling needs of the vault."""

    def alias(self, subject: str, stream: str) -> str:
        """Another name of a person in each stream."""

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


class CommandHandler(Generic[C, S]):
    """Handles the commands of one service: load, decide, seal, append; decide again on a version conflict."""

    def __init__(
        self,
        service: str,
        decider: Decider[C, S],
        *,
        appender: Appender,
        reader: LogReader,
        vault: Seals,
        service_key: bytes,
        working_time: WorkingTime = IRAN,
    ) -> None:
        """`working_time`: by which calendar the decisions of this process are made."""
        self._service, self._decider, self._working_time = service, decider, working_time
        self._appender, self._reader, self._vault = appender, reader, vault
        self._service_key = service_key

    def new_case(self, command: type[C], *, by: Principal, key: str) -> str:
        """The id of the case that `command` begins when `by` sends it under `key`: a late repetition meets the same case."""
        return case_id_of(http_command(self._service, by.subject, command.ROUTE, NEW, key))

    def command_id(self, command: C, *, by: Principal, on: str, key: str) -> bytes:
        """The id of a command that a person sends (32 bytes): the same request under the same key has the same id for ever."""
        scope = NEW if command.BEGINS else f"{on} {command.within()}".rstrip()
        # Whoever types at a terminal has no account: all of them are one, and their actor is the service.
        who = SYSTEM if by.role == SYSTEM else by.subject
        return http_command(self._service, who, command.route(), scope, key)

    async def execute(
        self,
        command: C,
        *,
        by: Principal,
        on: str,
        key: str,
        expected_by_page: int | None = None,
        loaded: Loaded | None = None,
    ) -> CommandResult:
        """Carry out on the stream `on` what the signed-in `by` asks for; `key` is the request's idempotency key.

        `expected_by_page`: the version of the stream that the person read; another's change since refuses as PageIsStale.
        `loaded`: the stream as `find_previous` found it; it is read again only when another wrote meanwhile.

        Raises what `decide` refuses, RequestDiffers, Busy after many conflicts, LogUnavailable (sending again is safe then).
        """
        command_id = self.command_id(command, by=by, on=on, key=key)
        actor = f"{by.role}:{self._vault.alias(by.subject, on)}"
        return await self._execute(command, on, command_id, actor, expected_by_page=expected_by_page, loaded=loaded)

    async def execute_task(self, command: C, task: ClaimedTask, *, loaded: Loaded | None = None) -> CommandResult:
        """Carry out what a task of the agenda asks for, under the task's own id. Raises the same."""
        actor = f"{SYSTEM}:{self._service}"
        return await self._execute(command, task.target, task.id, actor, cause=task.cause_name, loaded=loaded)

    async def find_previous(self, command: C, *, by: Principal, on: str, key: str) -> CommandResult | Loaded:
        """What became of `command` when it was carried out before, asked before costly preparations; else the stream."""
        loaded = await self._reader.load(on)
        return self._previous(loaded, self.command_id(command, by=by, on=on, key=key), self._request(command)) or loaded

    async def _execute(
        self,
        command: C,
        stream: str,
        command_id: bytes,
        actor: str,
        *,
        cause: str | None = None,
        expected_by_page: int | None = None,
        loaded: Loaded | None = None,
    ) -> CommandResult:
        decider = self._decider
        with _TRACER.start_as_current_span(f"handle {type(command).__name__}"):
            request = self._request(command)
            for _ in range(ATTEMPTS):
                loaded = loaded or await self._reader.load(stream)
                if previous := self._previous(loaded, command_id, request):
                    return previous
                self._refuse_stale(loaded, expected_by_page, actor)
                state = decider.initial
                for each in loaded.facts:
                    state = decider.evolve(state, decider.codec.decode(each.type, each.type_version, each.body), each.recorded_at)
                facts = decider.decide(command, state, loaded.at, working_time=self._working_time)
                result = await self._append(facts, loaded, stream, command_id, request, actor, cause)
                if result is not None:
                    return result
                loaded = None
            raise Busy

    def _request(self, command: Command) -> bytes:
        values = command.model_dump(mode="json", exclude=set(command.UNHASHED))
        return request_hash(self._service_key, type(command).__name__, values)

    def _previous(self, loaded: Loaded, command_id: bytes, request: bytes) -> CommandResult | None:
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
                command_id=command_id,
                request_hmac=request,
                actor=actor,
                cause=cause,
                meta=_meta(),
                facts=[NewFact(fact.TYPE, fact.VERSION, self._decider.codec.encode(fact)) for fact in sealed],
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

    def _refuse_stale(self, loaded: Loaded, expected_by_page: int | None, actor: str) -> None:
        """Refuse when another person changed the case since it was read.

        Records (a message was sent), what the agenda did (a target was set) and what the same person did are no reason to send
        somebody back; a change that matters to the decision is refused by `decide` in any case.
        """
        if expected_by_page is None:
            return
        for each in loaded.facts:
            known = self._decider.codec.facts.get(each.type)
            by_another = each.cause is None and each.actor != actor
            if each.version > expected_by_page and by_another and (known is None or not known.RECORD):
                raise PageIsStale


def _meta() -> bytes:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return orjson.dumps(carrier)

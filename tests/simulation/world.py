"""A city in memory: one log, four services' own decide, evolve and owe, agendas that lag, and workers that crash.

Nothing here decides: the rules are those of the services. What is simulated is the ground that they stand on: when facts reach
a service, when a worker claims an item, and where it dies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from caselog.chain import ZERO_LINK
from chassis.agenda.items import Cancel, Owed
from chassis.command_ids import agenda_command
from chassis.refusal import NotYet, Refusal, Stale
from schemas.envelope import Recorded
from schemas.fact import Fact
from schemas.facts import AnyFact, review
from schemas.sealing import Clear, Sealed
from services.inquiry import commands as inquiry_commands
from services.inquiry import consume as inquiry_consume
from services.inquiry import decide as inquiry_decide
from services.intake import commands as intake_commands
from services.intake import consume as intake_consume
from services.intake import decide as intake_decide
from services.notify import commands as notify_commands
from services.notify import consume as notify_consume
from services.notify import decide as notify_decide
from services.review import commands as review_commands
from services.review import consume as review_consume
from services.review import decide as review_decide
from tests.services import facts as f

POOL: Final = (review.Candidate(alias="ann", weight=1), review.Candidate(alias="bob", weight=2))
WITNESS: Final = review.WitnessKey(name="w", fingerprint="00")
LAST_DAY: Final = datetime.fromisoformat("2027-12-01T00:00:00+00:00")
"""The calendar knows the days until 1406; a simulated city does not outlive it."""


LONG_AGO: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class Crash(StrEnum):
    """Where a worker dies."""

    NOWHERE = "nowhere"
    BEFORE = "before the append"
    AFTER = "after the append"


@dataclass(frozen=True)
class Core:
    """The pure core of a service."""

    initial: Callable[[], Any]
    evolve: Callable[[Any, AnyFact, datetime], Any]
    decide: Callable[[Any, Any, datetime], Sequence[Fact]]
    owe: Callable[[AnyFact, Recorded], Sequence[Owed | Cancel]]


CORES: Final = {
    "intake": Core(intake_decide.State, intake_decide.evolve, intake_decide.decide, intake_consume.owe),
    "review": Core(review_decide.State, review_decide.evolve, review_decide.decide, review_consume.owe),
    "inquiry": Core(inquiry_decide.State, inquiry_decide.evolve, inquiry_decide.decide, inquiry_consume.owe),
    "notify": Core(notify_decide.State, notify_decide.evolve, notify_decide.decide, notify_consume.owe),
}


@dataclass
class Entry:
    """An item of a simulated agenda."""

    id: bytes
    reaction: str
    owed: Owed
    cause: Recorded
    open: bool = True
    next_at: datetime = LONG_AGO


@dataclass
class World:
    """The city: `log` is the truth, everything else may be thrown away."""

    at: datetime
    log: list[tuple[Recorded, AnyFact]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CORES, 0))
    agendas: dict[str, dict[bytes, Entry]] = field(default_factory=lambda: {name: {} for name in CORES})
    gates: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CORES, 0))
    sent: list[bytes] = field(default_factory=list)
    """Every time a message was handed over, by its key."""
    crashes: int = 0

    def state(self, service: str) -> Any:
        """The case as `service` sees it in the log."""
        core, state = CORES[service], CORES[service].initial()
        for recorded, fact in self.log:
            state = core.evolve(state, fact, recorded.recorded_at)
        return state

    def ask(self, service: str, command: Any, *, command_id: bytes = b"", cause: str | None = None) -> Sequence[Fact]:
        """Load, decide, append. Raises what the service refuses."""
        made = CORES[service].decide(command, self.state(service), self.at)
        this = command_id or hashlib.sha256(f"person {len(self.log)}".encode()).digest()
        for ordinal, fact in enumerate(made):
            self._append(_sealed(fact), this, ordinal, cause)
        return made

    def _append(self, fact: Any, command: bytes, ordinal: int, cause: str | None) -> None:
        number = len(self.log) + 1
        link = hashlib.sha256(f"link {number}".encode()).digest()
        prev = self.log[-1][0].link if self.log else ZERO_LINK
        recorded = Recorded(
            log_id="simulated", epoch=1, shard=0, seq=number, stream="case:a", version=number, type=fact.TYPE,
            type_version=fact.VERSION, recorded_at=self.at, actor="x", cause=cause, command=command, ordinal=ordinal,
            request=bytes(32), meta=b"{}", body=b"{}", prev=prev, link=link,
        )  # fmt: skip
        self.log.append((recorded, fact))

    def deliver(self, service: str, count: int) -> None:
        """The next facts reach the agenda of a service; what it saw before is skipped, as by its checkpoint."""
        agenda = self.agendas[service]
        for recorded, fact in self.log[self.seen[service] : self.seen[service] + count]:
            self.seen[service] += 1
            if recorded.cause and bytes.fromhex(recorded.cause) in agenda:
                agenda[bytes.fromhex(recorded.cause)].open = False
            for each in CORES[service].owe(fact, recorded):
                if isinstance(each, Cancel):
                    for entry in agenda.values():
                        entry.open = entry.open and (entry.reaction, entry.owed.key) != (each.reaction, each.key)
                else:
                    this = agenda_command(service, each.reaction, recorded.link, each.ordinal)
                    agenda.setdefault(this, Entry(this, each.reaction, each, recorded))

    def rebuild(self, service: str) -> None:
        """Throw an agenda away and build it again from the log."""
        self.agendas[service], self.seen[service], self.gates[service] = {}, 0, len(self.log)
        self.deliver(service, len(self.log))

    def due(self, service: str) -> list[Entry]:
        """What a worker may claim now: only when its reader has passed the log's head noted at its build."""
        if self.seen[service] < self.gates[service]:
            return []
        found = [e for e in self.agendas[service].values() if e.open and max(e.owed.due_at or e.next_at, e.next_at) <= self.at]
        first: dict[str, Entry] = {}
        for entry in sorted(found, key=lambda e: (e.cause.seq, e.owed.ordinal, e.reaction)):
            first.setdefault(entry.owed.recipient or entry.id.hex(), entry)
        return list(first.values())

    def work(self, service: str, entry: Entry, crash: Crash = Crash.NOWHERE) -> None:
        """A worker probes the log for the item, carries it out, and closes it, unless it dies on the way."""
        if any(recorded.command == entry.id for recorded, _ in self.log):
            entry.open = False
            return
        if crash is Crash.BEFORE:
            self.crashes += 1
            return
        if service == "notify":
            self.sent.append(entry.id)
        try:
            self.ask(service, _command(service, entry, self), command_id=entry.id, cause=entry.id.hex())
        except Stale:
            entry.open = False
            return
        except NotYet as waits:
            entry.next_at = waits.until
            return
        if crash is Crash.AFTER:
            self.crashes += 1
            return
        entry.open = False

    def settle(self) -> None:
        """Everything reaches everybody, and all that is due is carried out."""
        busy = True
        while busy:
            busy = False
            for service in CORES:
                self.deliver(service, len(self.log))
                for entry in self.due(service):
                    self.work(service, entry)
                    busy = True

    def pass_time(self, hours: int) -> None:
        """Time goes by."""
        self.at = min(self.at + timedelta(hours=hours), LAST_DAY)


def _sealed(fact: Fact) -> Fact:
    clear = {name for name in type(fact).model_fields if isinstance(getattr(fact, name), Clear)}
    return fact.model_copy(update=dict.fromkeys(clear, Sealed(key="k", box="b")))


def _command(service: str, entry: Entry, world: World) -> Any:
    key = entry.owed.key
    match entry.reaction:
        case "set_target":
            return review_commands.SetTarget()
        case "pass_target":
            return review_commands.PassTarget()
        case "commit_draw":
            return review_commands.CommitDraw(pool=POOL, exclusions=(), witnesses=(WITNESS,))
        case "make_draw":
            signed = review.WitnessSignature(name="w", fingerprint="00", signature="AAAA")
            return review_commands.MakeDraw(round=int(key), commitment=entry.cause.link.hex(), signatures=(signed,))
        case "escalate_correction":
            return review_commands.EscalateCorrection(round=int(key))
        case "escalate_identity":
            return intake_commands.EscalateIdentity(round=int(key))
        case "issue_certificate":
            return intake_commands.IssueCertificate(
                certificate_id="PK-AAAA-BBBB", decided_at_position="0:1", decided_link="0" * 64, issued_on=world.at,
                document=f.ref("x", "certificate"),
            )  # fmt: skip
        case "open_inquiry":
            return inquiry_commands.OpenInquiry(inquiry_id=key)
        case "escalate_inquiry":
            return inquiry_commands.EscalateInquiry(inquiry_id=key)
        case _:
            channel, template = entry.reaction.removeprefix("send_"), entry.owed.details["template"]
            about = str(entry.cause.position)
            return notify_commands.RecordSent(template=template, channel=channel, about=about, key=entry.id.hex())


def allowed(act: Callable[[], object]) -> bool:
    """Whether the services let it happen; a refusal is an answer, anything else a fault."""
    try:
        act()
    except Refusal:
        return False
    return True

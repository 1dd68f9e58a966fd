"""The four services and the audit desk on the harness in memory: their own readers, agendas, decisions and reactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from caselog.read import Head, LogReader
from chassis.eventing.agenda.task import ClaimedTask, React
from chassis.eventing.agenda.worker import Worker
from chassis.eventing.commands.decider import Decider
from chassis.eventing.commands.handler import CommandHandler
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.processors.store import ProcessorStore
from chassis.eventing.projections.projection import Row
from chassis.refusal import Stale
from schemas.envelope.fact import Fact
from schemas.envelope.sealing import Clear, Sealed
from schemas.facts import review
from services.audit import processors as audit_processors
from services.inquiry import commands as inquiry_commands
from services.inquiry import reactions as inquiry_consume
from services.inquiry.decide import DECIDER as INQUIRY
from services.intake import commands as intake_commands
from services.intake import reactions as intake_consume
from services.intake.decide import DECIDER as INTAKE
from services.notify import commands as notify_commands
from services.notify import reactions as notify_consume
from services.notify.decide import DECIDER as NOTIFY
from services.review import commands as review_commands
from services.review import reactions as review_consume
from services.review.decide import DECIDER as REVIEW
from tests.services import facts as f
from tests.services.test_runs import ROWS
from tests.simulation.harness import Database, Session
from tests.simulation.life import Life
from tests.simulation.log import Appender

if TYPE_CHECKING:
    from tests.simulation.world import World

POOL: Final = (review.Candidate(alias="ann", weight=1), review.Candidate(alias="bob", weight=2))
WITNESS: Final = review.WitnessKey(name="w", fingerprint="00")


class SimulatedVault:
    """What the services ask of the vault; nothing is secret in a simulated city."""

    async def seal(self, facts: Sequence[Fact], *, log_id: str, stream: str, command: bytes) -> list[Fact]:
        return [_sealed(fact) for fact in facts]

    async def open_all(self, boxes: Sequence[Any]) -> list[dict[str, str]]:
        return [{"national_code": "0084575948"}] * len(boxes)

    def blind(self, kind: str, text: str) -> bytes:
        return text.encode().ljust(32)

    def tracking_code(self, case: str) -> str:
        return f"code-{case}"

    def alias(self, subject: str, stream: str) -> str:
        return subject

    def get(self, name: str) -> bytes:
        return name.encode()


VAULT: Final = cast("Any", SimulatedVault())
OWES: Final[Mapping[str, React]] = {
    "intake": intake_consume.react,
    "review": review_consume.react,
    "inquiry": inquiry_consume.react,
    "notify": notify_consume.react,
}
"""What each service owes because of a fact; the audit desk owes nothing."""
READERS: Final[Mapping[str, Sequence[EventProcessor]]] = {
    "intake": intake_consume.processors(VAULT),
    "review": review_consume.processors(VAULT),
    "inquiry": inquiry_consume.processors(VAULT),
    "notify": notify_consume.processors(VAULT),
    "audit": audit_processors.processors(VAULT),
}
DECIDERS: Final[Mapping[str, Decider[Any, Any]]] = {
    "intake": INTAKE,
    "review": REVIEW,
    "inquiry": INQUIRY,
    "notify": NOTIFY,
}


def rows_of(service: str) -> Sequence[type[Row]]:
    """The tables of a service's projection."""
    return ROWS[service]


@dataclass
class Service:
    """One service: its database, which lasts, and its processes, which do not."""

    name: str
    world: World
    database: Database = field(init=False)
    heads: Mapping[int, Head] = field(default_factory=dict)
    """The log's heads when the worker began: it may claim only when the agenda's reader has passed them."""

    people: CommandHandler[Any, Any] = field(init=False)
    """How people write."""

    def __post_init__(self) -> None:
        self.database = Database(lambda: self.world.at, rows_of(self.name))
        if self.name in OWES:
            self.people = self.handler(Life())

    def inbox(self, life: Life) -> Inbox:
        """The inbox of a new process."""
        readers, db = READERS[self.name], cast("Any", Session(self.database, life))
        return Inbox(readers, db=db, log=self.reader(life))

    def reader(self, life: Life) -> LogReader:
        """The log as a process reads it."""
        return LogReader(cast("Any", Session(self.world.log, life)))

    def handler(self, life: Life) -> CommandHandler[Any, Any]:
        """The way in which a process writes."""
        appender = cast("Any", Appender(self.world.log, life))
        return CommandHandler(
            self.name, DECIDERS[self.name], appender=appender, reader=self.reader(life), vault=VAULT, service_key=bytes(32)
        )

    def worker(self, life: Life) -> Worker:
        """The agenda's worker of a new process."""
        db, log = cast("Any", Session(self.database, life)), self.reader(life)
        store = ProcessorStore(READERS[self.name][1], db)
        handler = self.handler(life)

        async def carry_out(item: ClaimedTask) -> None:
            if self.name == "notify":
                await life.step()
                if not life.was_frozen and self.world.log.has(item.id):
                    self.world.needless.append(item.id)
                self.world.sent.append(item.id)  # the channel has it; whether that is ever recorded is another matter
                await life.step()
            await handler.execute_task(_command(item, self.world), item)

        return Worker(db=db, log=log, checkpoints=store.checkpoints, handlers=_Every(carry_out))


class _Every(dict[str, Callable[[ClaimedTask], Awaitable[None]]]):
    """The same work for every reaction."""

    def __init__(self, carry_out: Callable[[ClaimedTask], Awaitable[None]]) -> None:
        super().__init__()
        self._carry_out = carry_out

    def __missing__(self, reaction: str) -> Callable[[ClaimedTask], Awaitable[None]]:
        return self._carry_out


def _sealed(fact: Fact) -> Fact:
    clear = {name for name in type(fact).model_fields if isinstance(getattr(fact, name), Clear)}
    return fact.model_copy(update=dict.fromkeys(clear, Sealed(key="k", box="b")))


def _command(item: ClaimedTask, world: World) -> Any:
    key = item.key
    match item.reaction:
        case "set_target":
            return review_commands.SetTarget()
        case "pass_target":
            return review_commands.PassTarget()
        case "commit_draw":
            return review_commands.CommitDraw(pool=POOL, exclusions=(), witnesses=(WITNESS,))
        case "make_draw":
            signed = review.WitnessSignature(name="w", fingerprint="00", signature="AAAA")
            return review_commands.MakeDraw(round=int(key), commitment=item.cause_link.hex(), signatures=(signed,))
        case "check_drawn":
            raise Stale  # nobody leaves the simulated city
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
            channel = item.reaction.removeprefix("send_")
            return notify_commands.RecordSent(
                template=item.details["template"], channel=channel, about=str(item.cause), key=item.id.hex()
            )

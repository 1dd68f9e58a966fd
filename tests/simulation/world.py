"""A city in memory: one log, a lying bus, and the product's services, whose processes end between any two steps.

Nothing here decides: the domain, the inbox, the rows and the agenda are the product's own. What is simulated is the harness that
they stand on: time, the statements of the databases (harness.py, log.py), what the bus brings (bus.py), how long a process
lives (life.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from caselog.append import LogUnavailable
from caselog.outcomes import AppendRequest, NewFact
from chassis.eventing.agenda.worker import LEASE, has_passed
from chassis.eventing.commands.handler import CommandResult
from chassis.eventing.processors.inbox import FORGED
from chassis.principal import Principal
from chassis.refusal import Refusal
from schemas.envelope import RecordedFact, shard_of
from schemas.facts import AnyFact
from services.inquiry import decide as inquiry_decide
from services.intake import decide as intake_decide
from services.notify import decide as notify_decide
from services.review import decide as review_decide
from tests.simulation.bus import UNTRUE, Lie, Topic
from tests.simulation.life import City, Fate, Life
from tests.simulation.log import Log
from tests.simulation.reference import Reference
from tests.simulation.services import READERS, Service

CASE: Final = "case:a"
NEIGHBOUR: Final = next(f"case:n{n}" for n in range(10_000) if shard_of(f"case:n{n}") == shard_of(CASE))
"""A stream in the shard of the case: what holds up one must not hold up the other."""
ELSEWHERE: Final = next(f"case:e{n}" for n in range(10_000) if shard_of(f"case:e{n}") != shard_of(CASE))
UNKNOWN: Final = next(f"case:u{n}" for n in range(10_000) if shard_of(f"case:u{n}") == shard_of(CASE))
"""A stream in the same shard to which a newer program writes what this one cannot read."""
LAST_DAY: Final = datetime.fromisoformat("2027-12-01T00:00:00+00:00")
"""The calendar knows the days until 1406; a simulated city does not outlive it."""
SOON: Final = timedelta(minutes=10)
"""Leases end and what could not be done is tried again within this time."""
ROUNDS: Final = 200
"""After so many rounds of bringing and carrying out a city is at rest; a long history takes twenty."""
CORES: Final = {"intake": intake_decide, "review": review_decide, "inquiry": inquiry_decide, "notify": notify_decide}


class World:
    """The city: the log is the truth, everything else may be thrown away."""

    def __init__(self, at: datetime, city: City) -> None:
        self.at, self._city = at, city
        self.topic, self.references = Topic(), {name: Reference(name) for name in READERS}
        self.log = Log(lambda: self.at, self._appended)
        self.services = {name: Service(name, self) for name in READERS}
        self.inboxes = {name: self._begun(name) for name in READERS}
        self._workers = {name: self.services[name].worker(Life()) for name in CORES}
        self.sent: list[bytes] = []
        """Every time a message was handed over, by its key."""
        self.needless: list[bytes] = []
        """What was handed over although the log had it, by a process that had not slept meanwhile."""
        self.ended = 0
        """How many processes were killed or frozen."""
        self._frozen: list[tuple[Any, Life]] = []
        self._read_again: dict[tuple[str, str, int], int] = {}
        """Service, reader and shard whose checkpoint was set back -> where it stood: until then its rows are ahead of it."""
        self.lied, self.newer = False, 0
        self._forged = _forged()

    def _begun(self, name: str, life: Life | None = None) -> Any:
        inbox = self.services[name].inbox(life or Life())
        for store in inbox.stores.values():
            self._city.run(store.begin())
        return inbox

    def _appended(self, recorded: RecordedFact, fact: AnyFact | None) -> None:
        self.topic.publish(recorded)
        for reference in self.references.values():
            reference.take(recorded, fact)

    # people

    def state(self, service: str, stream: str = CASE) -> Any:
        """A case as `service` sees it in the log."""
        core: Any = CORES[service]
        state = core.State()
        for recorded, fact in self.log.facts:
            if recorded.stream == stream:
                state = core.evolve(state, fact, recorded.recorded_at)
        return state

    def ask(self, service: str, command: Any, *, stream: str = CASE) -> CommandResult:
        """A person asks; when the reply is lost, once more with the same key. Raises what the service refuses."""
        key, by, handler = f"person {len(self.log.facts)}", Principal("person", "x"), self.services[service].people
        try:
            done: CommandResult = self._city.run(handler.execute(command, by=by, on=stream, key=key))
        except LogUnavailable:
            done = self._city.run(handler.execute(command, by=by, on=stream, key=key))
            assert done.repeated, "what was durable was done once more"
        return done

    def a_newer_program_writes(self) -> None:
        """A fact of a type that this program does not know."""
        number = len(self.log.shards.get(shard_of(UNKNOWN), ()))
        command = hashlib.sha256(f"newer {number}".encode()).digest()
        fact = NewFact("case.reimagined", 1, b"{}")
        self.newer += 1
        self.log.take(AppendRequest(UNKNOWN, None, command, bytes(32), "person:x", None, b"{}", [fact]))

    # the bus, the inbox

    def deliver(self, service: str, count: int, lies: Sequence[Lie] = (), fate: Fate = Fate.GOES_ON, steps: int = 0) -> None:
        """The bus brings the next messages; what was applied is acknowledged, unless the process ended on the way."""
        self.lied = self.lied or any(lie in UNTRUE for lie in lies)
        facts = self.topic.batch(service, count, lies)
        inbox = self.inboxes[service] if fate is Fate.GOES_ON else None
        life = Life(fate, steps)
        if inbox is None:
            inbox = self._begun_by(service, life)
        if self._lives(inbox.take(facts), life):
            self.topic.acknowledge(service, count)
        else:
            self.inboxes[service] = self._begun(service)

    def _begun_by(self, service: str, life: Life) -> Any:
        return self.services[service].inbox(life)

    def _lives(self, work: Any, life: Life) -> bool:
        """Run a process; False when it was killed or froze."""
        task = self._city.live(work, life)
        if task is not None:
            self._frozen.append((task, life))
        self.ended += task is not None or life.dead
        return task is None and not life.dead

    def watch(self, service: str) -> None:
        """The inbox compares its checkpoints with the log, twice: what stands still is read from there."""
        still = self._city.run(self.inboxes[service]._repair({}, 1))
        self._city.run(self.inboxes[service]._repair(still, 1))

    def read_again(self, service: str) -> None:
        """All checkpoints of a service are set back; its rows stay."""
        database = self.services[service].database
        for (reader, shard), checkpoint in list(database.checkpoints.items()):
            place = service, reader, shard
            self._read_again[place] = max(checkpoint["seq"], self._read_again.get(place, 0))
            del database.checkpoints[reader, shard]

    def rebuild(self, service: str) -> None:
        """Throw the rows and the agenda of a service away and build them again from the log."""
        kept, fresh = self.services[service].database, self.services[service]
        fresh.database = type(kept)(lambda: self.at, [plan.table for plan in kept.plans])
        self._read_again = {place: seq for place, seq in self._read_again.items() if place[0] != service}
        self.inboxes[service] = self._begun(service)
        if service in CORES:
            self._workers[service] = fresh.worker(Life())
            fresh.heads = self._city.run(fresh.reader(Life()).heads())

    # the agenda

    def _may_claim(self, service: str) -> bool:
        container = self.services[service]
        if container.heads and has_passed(container.heads, self._city.run(self.inboxes[service].stores["agenda"].checkpoints())):
            container.heads = {}  # a worker that was let in once stays in
        return not container.heads

    def work(self, service: str, fate: Fate = Fate.GOES_ON, steps: int = 0) -> bool:
        """A worker claims what is due and carries it out; False when its process ended on the way."""
        if not self._may_claim(service):
            return True
        if fate is Fate.GOES_ON:
            self._city.run(self._workers[service].work_once())
            return True
        life = Life(fate, steps)
        return self._lives(self.services[service].worker(life).work_once(), life)

    def lease_ends(self) -> None:
        """So much time goes by that another worker may claim what one holds."""
        self.at += LEASE

    def thaw(self) -> None:
        """Whoever froze goes on, as if nothing had happened meanwhile."""
        frozen, self._frozen = self._frozen, []
        for task, life in frozen:
            life.thaw()
            self._city.run(task)

    def due(self, service: str) -> Sequence[dict[str, Any]]:
        """What is due, or parked."""
        database = self.services[service].database
        return database.claimable(self.at) + [row for row in database.agenda.values() if row["state"] == "parked"]

    def settle(self) -> None:
        """Everything reaches everybody, and all that is due, or will be tried again soon, is carried out."""
        self.thaw()
        for _ in range(ROUNDS):
            if not (self._bring_all() + self._work_all() or self._let_leases_end()):
                return
        raise AssertionError("the city does not come to rest")

    def _bring_all(self) -> int:
        brought = 0
        for name in READERS:
            if rest := self.topic.rest(name):
                self.deliver(name, rest)
                brought += rest
            if any(seq < len(facts) for _, shard, seq in self._stand(name) if (facts := self.log.shards[shard])):
                self.watch(name)
        return brought

    def _stand(self, name: str) -> list[tuple[str, int, int]]:
        held = self.services[name].database.checkpoints
        zero = {"seq": 0}
        return [(r.name, shard, held.get((r.name, shard), zero)["seq"]) for r in READERS[name] for shard in self.log.shards]

    def _work_all(self) -> int:
        due = self.busy()
        for name in due:
            self.work(name)
        return len(due)

    def busy(self) -> list[str]:
        """The services whose workers may claim something."""
        return [name for name in CORES if self.services[name].database.claimable(self.at) and self._may_claim(name)]

    def behind(self) -> list[str]:
        """The services to which the bus has something to bring; all, when there is none."""
        return [name for name in READERS if self.topic.rest(name)] or list(READERS)

    def _let_leases_end(self) -> bool:
        rows = [row for name in CORES for row in self.services[name].database.agenda.values() if row["state"] == "open"]
        soon = [at for row in rows if self.at < (at := max(row["next_at"], row["leased_until"])) <= self.at + SOON]
        self.at = min(soon, default=self.at)
        return bool(soon)

    def pass_time(self, hours: int) -> None:
        """Time goes by."""
        self.at = min(self.at + timedelta(hours=hours), LAST_DAY)

    # what must hold

    def check(self) -> None:
        """Rows and agenda are the fold of the log up to the checkpoint; nothing forged was applied, nothing true was dropped."""
        for name, reference in self.references.items():
            states: dict[str, dict[int, int]] = {reader.name: {} for reader in READERS[name]}
            ahead, database = set(), self.services[name].database
            for reader, shard, seq in self._stand(name):
                if seq:
                    checkpoint = database.checkpoints[reader, shard]
                    assert checkpoint["halted"] is None, f"{name}: a shard halted although the log was never changed"
                    assert checkpoint["hash"] == reference.links[shard][seq], f"{name}: a checkpoint that is not in the log"
                states[reader][shard] = seq
                if seq < self._read_again.get((name, reader, shard), 0):
                    ahead.add(reader)
            for reader, reached in states.items():
                if reader in ahead:
                    continue
                if reader == "agenda":
                    reference.check_agenda(database, reached)
                else:
                    reference.check_rows(database, reader, reached)
            assert {stream for _, stream in database.parked} <= {UNKNOWN}, f"{name}: a stream is parked without a reason"
        assert not self.needless, "a message was sent although the log says that it was"
        if not self.lied:
            assert _forged() == self._forged, "a true message was taken for a forged one"


def _forged() -> float:
    return float(FORGED.labels("link")._value.get())


def allowed(act: Callable[[], object]) -> bool:
    """Whether the services let it happen; a refusal is an answer, anything else a fault."""
    try:
        act()
    except Refusal:
        return False
    return True

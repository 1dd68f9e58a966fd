"""What must hold after any fault, over the history of the run, the log's facts, the projections, the agendas and the sends. Pure.

It trusts no answer of the product beside the facts' own bytes: positions, versions and links are looked at anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any

from caselog.chain import ZERO_LINK, compute_link
from schemas.envelope import Position, RecordedFact, shard_of
from tests.faults.recorder import Operation, Said, attempts


class Kind(StrEnum):
    """What may be wrong."""

    LOST = "lost acknowledgement"
    DOUBLED = "doubled effect"
    PHANTOM = "phantom"
    ORDER = "broken real-time order"
    GAP = "gap"
    CHAIN = "chain break"
    PROJECTION = "projection unequal to a rebuild"
    MESSAGE_LOST = "lost message"
    MESSAGE_REPEATED = "repeated message"
    UNOWNED = "open item that nobody owns"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    kind: Kind
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Projection:
    """Rows as a service has them, and as a fresh reading of the whole log gives them."""

    name: str
    found: Sequence[tuple[Any, ...]]
    fresh: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Item:
    """A row of an agenda at the end of the run."""

    service: str
    id: bytes
    reaction: str
    cause: Position
    cause_link: bytes
    state: str
    """`open`, `closed` or `parked`."""
    due: bool
    """Whether its time has come."""
    leased: bool
    """Whether a worker holds it."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message as it arrived outside."""

    key: str
    recipient: str
    content: str
    """What the recipient reads; tells a repeat under another key."""


@dataclass(frozen=True)
class Evidence:
    """All that is known when the run has settled. What is None was not looked at."""

    operations: Sequence[Operation]
    facts: Sequence[RecordedFact]
    """The whole log, by shard and seq."""
    projections: Sequence[Projection] = ()
    agenda: Sequence[Item] | None = None
    sends: Sequence[Send] | None = None
    handed_over: frozenset[str] = frozenset()
    """The keys of the sends that the log says were made by the observed channel."""
    kills: int = 0
    """So many sends may have been repeated."""
    before: Mapping[int, int] = field(default_factory=dict)
    """The heads before the run: what stands up to there was asked for by others."""


def check(evidence: Evidence) -> list[Fault]:
    """Everything that is wrong; empty when all holds."""
    return [
        *_chain(evidence.facts),
        *_versions(evidence.facts),
        *_once(evidence),
        *_acknowledged(evidence),
        *_asked_for(evidence),
        *_real_time(evidence),
        *_projections(evidence.projections),
        *_messages(evidence),
        *_owned(evidence),
    ]


def totals(faults: Sequence[Fault]) -> dict[str, int]:
    """How many faults of each kind, the kinds without any too."""
    counted = Counter(fault.kind for fault in faults)
    return {kind.value: counted[kind] for kind in Kind}


def _chain(facts: Sequence[RecordedFact]) -> Iterator[Fault]:
    heads: dict[int, tuple[int, bytes]] = {}
    for fact in facts:
        seq, link = heads.get(fact.shard, (0, ZERO_LINK))
        where = str(fact.position)
        if fact.seq != seq + 1:
            yield Fault(Kind.GAP, where, f"follows {fact.shard}:{seq}")
        elif fact.prev != link:
            yield Fault(Kind.CHAIN, where, "does not follow the link before it")
        if compute_link(fact) != fact.link:
            yield Fault(Kind.CHAIN, where, "its bytes do not give its link")
        if shard_of(fact.stream) != fact.shard:
            yield Fault(Kind.CHAIN, where, "stands in a shard that its stream does not belong to")
        heads[fact.shard] = fact.seq, fact.link


def _versions(facts: Sequence[RecordedFact]) -> Iterator[Fault]:
    last: dict[str, int] = {}
    for fact in facts:
        if fact.version != last.get(fact.stream, 0) + 1:
            yield Fault(Kind.GAP, fact.stream, f"version {fact.version} follows {last.get(fact.stream, 0)}")
        last[fact.stream] = fact.version


def _once(evidence: Evidence) -> Iterator[Fault]:
    """A command stands in the log as one run of facts of one stream, and what an item owes is one command."""
    for command, facts in _by_command(evidence.facts).items():
        if len({fact.stream for fact in facts}) > 1:
            yield Fault(Kind.DOUBLED, facts[0].stream, f"command {command.hex()[:12]} also stands in another stream")
        elif [(fact.ordinal, fact.version - facts[0].version) for fact in facts] != [(n, n) for n in range(len(facts))]:
            yield Fault(Kind.DOUBLED, facts[0].stream, f"command {command.hex()[:12]} is not one whole run of facts")
    carried_out: dict[str, set[bytes]] = {}
    for fact in evidence.facts:
        if fact.cause is not None:
            carried_out.setdefault(fact.cause, set()).add(fact.command)
    for cause, commands in carried_out.items():
        if len(commands) > 1:
            yield Fault(Kind.DOUBLED, cause[:12], f"the item was carried out by {len(commands)} commands")


def _acknowledged(evidence: Evidence) -> Iterator[Fault]:
    """Each acknowledged operation has its effect, where its receipt says, and not one fact more."""
    at = {fact.position: fact for fact in evidence.facts}
    known = _by_command(evidence.facts)
    for operation in evidence.operations:
        if operation.said is not Said.OK:
            continue
        facts, where = known.get(operation.command, []), f"operation {operation.id}"
        if not facts:
            yield Fault(Kind.LOST, where, f"{operation.case}: no fact of it is in the log")
        for receipt in operation.receipts:
            fact = at.get(receipt.position)
            if fact is None or fact.link != receipt.link or fact.command != operation.command:
                yield Fault(Kind.LOST, where, f"{operation.case}: at {receipt.position} stands not what was acknowledged")
        if operation.receipts and len(facts) > len(operation.receipts):
            yield Fault(Kind.DOUBLED, where, f"{operation.case}: {len(operation.receipts)} receipts, {len(facts)} facts")
    for tried in attempts(evidence.operations).values():
        if len({operation.body for operation in tried if operation.said is Said.OK}) > 1:
            yield Fault(
                Kind.LOST, f"operation {tried[-1].id}", "another body under the same key was acknowledged, and is not there"
            )


def _asked_for(evidence: Evidence) -> Iterator[Fault]:
    """Each fact was asked for by an operation of this run that was not refused, or by an item of an agenda."""
    asked = attempts(evidence.operations)
    items = None if evidence.agenda is None else {item.id for item in evidence.agenda}
    for command, facts in _by_command(evidence.facts).items():
        first = facts[0]
        if first.seq <= evidence.before.get(first.shard, 0):
            continue
        where = f"{first.position} {first.type}"
        if first.cause is not None:
            if items is not None and (command not in items or first.cause != command.hex()):
                yield Fault(Kind.PHANTOM, where, "no agenda owed it")
        elif command not in asked:
            yield Fault(Kind.PHANTOM, where, "nobody asked for it")
        elif all(operation.said is Said.FAILED for operation in asked[command]):
            yield Fault(Kind.PHANTOM, where, "it was refused, and is there")
        elif any(operation.case != first.stream for operation in asked[command]):
            yield Fault(Kind.PHANTOM, where, f"it was asked for in {asked[command][0].case}")


def _real_time(evidence: Evidence) -> Iterator[Fault]:
    """What returned before another operation of its case was invoked stands before it in the case."""
    known = _by_command(evidence.facts)
    cases: dict[str, list[tuple[float, float, list[RecordedFact]]]] = {}
    for command, tried in attempts(evidence.operations).items():
        if facts := known.get(command):
            returned = min(operation.returned for operation in tried)
            cases.setdefault(facts[0].stream, []).append((min(each.invoked for each in tried), returned, facts))
    for case, done in cases.items():
        under_way: list[tuple[float, int]] = []
        highest = 0
        for invoked, returned, facts in sorted(done, key=lambda each: each[:2]):
            while under_way and under_way[0][0] < invoked:
                highest = max(highest, heappop(under_way)[1])
            if facts[0].version < highest:
                yield Fault(Kind.ORDER, case, f"version {facts[0].version} was asked for when {highest} was acknowledged")
            heappush(under_way, (returned, facts[-1].version))


def _projections(projections: Sequence[Projection]) -> Iterator[Fault]:
    for each in projections:
        if list(each.found) == list(each.fresh):
            continue
        found, fresh = Counter(map(repr, each.found)), Counter(map(repr, each.fresh))  # a row may hold a list
        much, little = (found - fresh).total(), (fresh - found).total()
        yield Fault(Kind.PROJECTION, each.name, f"{much} rows too many or otherwise, {little} missing, of {len(each.fresh)}")


def _messages(evidence: Evidence) -> Iterator[Fault]:
    """Each send that the log names arrived; a repeat has its first key, and there are no more repeats than kills."""
    if evidence.sends is None:
        return
    arrived = Counter(send.key for send in evidence.sends)
    for key in evidence.handed_over - arrived.keys():
        yield Fault(Kind.MESSAGE_LOST, key[:12], "the log says that it was sent, and it never arrived")
    for key in arrived.keys() - evidence.handed_over:
        yield Fault(Kind.MESSAGE_LOST, key[:12], "it arrived, and the log does not say that it was sent")
    keys: dict[tuple[str, str], set[str]] = {}
    for send in evidence.sends:
        keys.setdefault((send.recipient, send.content), set()).add(send.key)
    for same in keys.values():
        if len(same) > 1:
            yield Fault(Kind.MESSAGE_REPEATED, min(same)[:12], f"one message under {len(same)} keys")
    repeats = arrived.total() - len(arrived)
    if repeats > evidence.kills:
        yield Fault(Kind.MESSAGE_REPEATED, "all", f"{repeats} repeats, {evidence.kills} kills")


def _owned(evidence: Evidence) -> Iterator[Fault]:
    """When all has settled, nothing that is due waits for nobody, nothing is parked, and each item has its cause in the log."""
    at = {fact.position: fact.link for fact in evidence.facts}
    done = {fact.command for fact in evidence.facts}
    for item in evidence.agenda or ():
        where = f"{item.service} {item.reaction} {item.id.hex()[:12]}"
        if at.get(item.cause) != item.cause_link:
            yield Fault(Kind.PHANTOM, where, f"it is owed because of {item.cause}, where the log has another fact")
        if item.state == "parked":
            yield Fault(Kind.UNOWNED, where, "it was parked, and nobody will carry it out")
        elif item.state == "open" and item.due and not item.leased:
            yield Fault(Kind.UNOWNED, where, "its time has come, and nobody holds it")
        elif item.state == "open" and item.id in done:
            yield Fault(Kind.UNOWNED, where, "it was carried out, and is still open")


def _by_command(facts: Sequence[RecordedFact]) -> dict[bytes, list[RecordedFact]]:
    found: dict[bytes, list[RecordedFact]] = {}
    for fact in facts:
        found.setdefault(fact.command, []).append(fact)
    return found

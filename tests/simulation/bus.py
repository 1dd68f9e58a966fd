"""The bus in memory: what was published, in the product's own message form, and a consumer to whom it lies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from caselog.chain import compute_link
from chassis.eventing.kafka.cloudevents import Headers, encode
from chassis.eventing.kafka.consumer import facts_of
from schemas.envelope import RecordedFact


class Lie(StrEnum):
    """What the bus does to a message."""

    DROPS = "drops"
    REPEATS = "repeats"
    SWAPS = "swaps with the next"
    REWINDS = "goes back to the first"
    DAMAGES = "damages the body"
    MISLABELS = "writes another seq"
    FORGES = "forges one that hashes right"


UNTRUE = (Lie.DAMAGES, Lie.MISLABELS, Lie.FORGES)
"""Where the content is not what the log holds."""


@dataclass(frozen=True)
class Message:
    """A record of the topic, as the consumer gets it."""

    headers: Headers
    value: bytes
    partition: int = 0
    offset: int = 0

    @classmethod
    def of(cls, fact: RecordedFact) -> Message:
        """What the relay publishes."""
        return cls(encode(fact), fact.body)


class Topic:
    """All messages in order, and how far each service has acknowledged."""

    def __init__(self) -> None:
        self._facts: list[RecordedFact] = []
        self.taken: dict[str, int] = {}

    def publish(self, fact: RecordedFact) -> None:
        """One more."""
        self._facts += _read([fact])

    def rest(self, service: str) -> int:
        """How many messages a service has not acknowledged."""
        return len(self._facts) - self.taken.get(service, 0)

    def batch(self, service: str, count: int, lies: Sequence[Lie]) -> list[RecordedFact]:
        """The next `count` messages as the bus brings them, read by the product; the lies fall on one message after another."""
        first = self.taken.get(service, 0)
        found = self._facts[first : first + count]
        for number, lie in enumerate(lies):
            found = _told(found, self._facts, number * 3, lie)
        return _read(found) if lies else found  # what nobody lied about was read when it was published

    def acknowledge(self, service: str, count: int) -> None:
        """These are applied."""
        self.taken[service] = min(len(self._facts), self.taken.get(service, 0) + count)


def _read(facts: Sequence[RecordedFact]) -> list[RecordedFact]:
    """Facts as messages, and what the product reads from these."""
    return facts_of(tuple(Message.of(fact) for fact in facts))


def _told(found: list[RecordedFact], all_: list[RecordedFact], at: int, lie: Lie) -> list[RecordedFact]:
    if not found:
        return found
    at %= len(found)
    before, this, after = found[:at], found[at], found[at + 1 :]
    match lie:
        case Lie.DROPS:
            return [*before, *after]
        case Lie.REPEATS:
            return [*found, this]
        case Lie.SWAPS:
            return [*before, *after[:1], this, *after[1:]]
        case Lie.REWINDS:
            return [*all_[:2], *found]
        case Lie.DAMAGES:
            return [*before, replace(this, body=this.body.replace(b'"', b" ", 1)), *after]
        case Lie.MISLABELS:
            return [*before, replace(this, seq=this.seq + random.Random(at).choice([-1, 1])), *after]
        case Lie.FORGES:
            # Who can write a body can hash it; the link before it is what nobody knows who has not read the log.
            forged = replace(this, body=b'{"reason":"forged"}', type="case.withdrawn", type_version=1, prev=bytes([7] * 32))
            return [*before, replace(forged, link=compute_link(forged)), *after]

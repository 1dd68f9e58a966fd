"""Re-hashing the log from its bytes: the first position that is wrong, and the kind of damage. Pure.

What a chain alone can show: every edit, insertion, reordering, and every deletion before the last fact of a shard. That
the *end* of a shard was cut off shows only against a head kept outside (checkpoints, design.md section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from caselog.chain import ZERO_LINK, compute_link
from schemas.envelope import Position, RecordedFact, shard_of


class Damage(StrEnum):
    """The kinds of damage."""

    EDITED = "edited"
    """The stored bytes or values do not give the link."""
    DELETED = "deleted"
    """One or more facts before this position are gone."""
    INSERTED = "inserted"
    """A fact stands here that the chain does not know."""
    REORDERED = "reordered"
    """The fact belongs to another position of the shard."""
    MISFILED = "misfiled"
    """The fact is in a shard that its stream does not belong to, or its version in the stream does not follow."""
    TURNED_BACK = "turned_back"
    """Time or epoch runs backwards."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The first bad position of a shard."""

    position: Position
    damage: Damage
    stream: str


@dataclass(frozen=True, slots=True)
class Clean:
    """A shard without damage."""

    shard: int
    facts: int
    link: bytes


REACH: Final = 64
"""How many positions around are tried to tell a moved fact from an edited one."""


class ShardCheck:
    """Checks one shard, fact by fact in the order of seq, over as many pages as there are."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._seq = 0
        self._link = ZERO_LINK
        self._at: datetime | None = None
        self._epoch = 0
        self._versions: dict[str, int] = {}

    def clean(self) -> Clean:
        """What was checked so far, without a finding."""
        return Clean(self._shard, self._seq, self._link)

    def page(self, facts: Iterable[RecordedFact]) -> Finding | None:
        """Check the next facts; None when all are good."""
        for fact, following in _with_next(facts):
            damage = self._damage(fact, following)
            if damage is not None:
                return Finding(fact.position, damage, fact.stream)
            self._seq, self._link = fact.seq, fact.link
            self._at, self._epoch = fact.recorded_at, fact.epoch
            self._versions[fact.stream] = fact.version
        return None

    def _damage(self, fact: RecordedFact, following: RecordedFact | None) -> Damage | None:
        link_valid = compute_link(fact) == fact.link
        if fact.seq != self._seq + 1:
            return Damage.DELETED
        if not link_valid or fact.prev != self._link:
            return self._kind_of_break(fact, following, link_valid)
        version = self._versions.get(fact.stream, 0)
        if fact.version != version + 1 or fact.shard != self._shard:
            return Damage.MISFILED
        if version == 0 and shard_of(fact.stream) != self._shard:  # once a stream: its later facts are held to the same shard
            return Damage.MISFILED
        if (self._at is not None and fact.recorded_at < self._at) or fact.epoch < self._epoch:
            return Damage.TURNED_BACK
        return None

    def _kind_of_break(self, fact: RecordedFact, following: RecordedFact | None, link_valid: bool) -> Damage:
        if following is not None and following.prev == self._link:
            # The chain goes on around this fact: either it was put in, or the two stand in each other's place.
            return Damage.REORDERED if fact.prev == following.link else Damage.INSERTED
        if _true_seq(fact) not in (None, fact.seq):
            return Damage.REORDERED if following is not None and _true_seq(following) == fact.seq else Damage.DELETED
        return Damage.INSERTED if link_valid else Damage.EDITED


def _true_seq(fact: RecordedFact) -> int | None:
    """The position near by at which the fact's own link fits, or None."""
    for seq in range(max(1, fact.seq - REACH), fact.seq + REACH + 1):
        if compute_link(replace(fact, seq=seq)) == fact.link:
            return seq
    return None


def _with_next(facts: Iterable[RecordedFact]) -> Iterator[tuple[RecordedFact, RecordedFact | None]]:
    current: RecordedFact | None = None
    for following in facts:
        if current is not None:
            yield current, following
        current = following
    if current is not None:
        yield current, None

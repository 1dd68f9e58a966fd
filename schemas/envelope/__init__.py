"""What surrounds a fact in the log and on the bus (docs/log-format.md has the bytes).

The package is what the layers above may know of any fact: its base class, sealed values, deadlines, references to documents,
folds. No module of it names a fact, and none knows a permit: the chassis imports this package of schemas and none beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

SHARDS: Final = 64
"""Fixed for ever: a stream never moves (design.md section 3)."""


def shard_of(stream: str) -> int:
    """The shard of a stream: first byte of SHA-256(stream) mod 64."""
    return hashlib.sha256(stream.encode()).digest()[0] % SHARDS


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log, written `shard:seq`."""

    shard: int
    seq: int

    def __str__(self) -> str:
        return f"{self.shard}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that `text` names; raises ValueError when it is none."""
        shard, _, seq = text.partition(":")
        digits = text.isascii() and shard.isdigit() and seq.isdigit() and len(text) <= 21
        # The log counts in 63 bits: a larger number is no place in it, and no query can be asked with it.
        if not digits or int(shard) >= SHARDS or int(seq) >= 1 << 63:
            raise ValueError("a position is written shard:seq")
        return cls(int(shard), int(seq))


@dataclass(frozen=True, slots=True)
class RecordedFact:
    """One fact as it stands in the log: every value that its link hash binds, and the exact stored bytes."""

    log_id: str
    """UUID of the log, lower-case hex with dashes."""
    epoch: int
    shard: int
    seq: int
    """Gapless from 1 in its shard."""
    stream: str
    """`kind:id`."""
    version: int
    """Gapless from 1 in its stream."""
    type: str
    """Wire name, for example `case.submitted`."""
    type_version: int
    recorded_at: datetime
    """UTC, microseconds; never runs backwards within a shard."""
    actor: str
    """`role:alias`; the alias differs in each stream."""
    cause: str | None
    """Hex of the agenda item (its command id) that this fact carries out, or None when a person acted."""
    command: bytes
    """32 bytes: the id of the command that appended this fact."""
    ordinal: int
    """The place of the fact in its command, from 0."""
    request: bytes
    """32 bytes: HMAC of the canonical command, made before deciding and sealing."""
    meta: bytes
    """Exact bytes of a JSON object: `traceparent` and what else is no part of the fact."""
    body: bytes
    """Exact bytes of the fact."""
    prev: bytes
    """32 bytes: the previous link of the shard; zeros before the first."""
    link: bytes
    """32 bytes: the link hash."""

    @property
    def position(self) -> Position:
        return Position(self.shard, self.seq)

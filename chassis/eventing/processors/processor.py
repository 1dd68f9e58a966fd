"""What a service builds from the facts: named processors, each with checkpoints of its own (design.md section 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg

from schemas.envelope import RecordedFact
from schemas.envelope.codec import FactCodec
from schemas.envelope.fact import Fact

Batch = Sequence[tuple[Fact, RecordedFact]]
"""Facts of one shard in the order of seq, perhaps with gaps where a parked stream was left out."""
Apply = Callable[[asyncpg.Connection, Batch], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventProcessor:
    """A projection, or the agenda. `version` is raised when `apply` changes: the new version is built anew from the log."""

    name: str
    version: int
    apply: Apply
    """Writes the rows of a batch of facts, inside the transaction that moves the checkpoint. A row is a fold of one stream.

    A batch may be one fact or ten thousand: the rows must come out the same however the facts are cut into batches.
    """
    tables: Mapping[str, str] = field(default_factory=dict)
    """The tables that only this processor writes -> the columns that a rebuild gives again (`*` for all)."""
    carry_over: str = ""
    """SQL that takes into a rebuilt table what no fact says (leases of the agenda), from the table in `public`."""
    codec: FactCodec = field(kw_only=True)
    """How the facts that it is given are stored."""


class Source(StrEnum):
    """Where a fact came from; the share applied from the bus is a metric."""

    BUS = "bus"
    LOG = "log"


class Reach(StrEnum):
    """Whether a processor has reached a position."""

    REACHED = "reached"
    NOT_YET = "not_yet"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a processor has applied a shard."""

    epoch: int
    seq: int
    hash: bytes
    halted: str | None

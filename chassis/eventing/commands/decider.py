"""A service's pure core as one value (Emmett's decider): the empty state, how a fact changes it, what a command makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from schemas.envelope.calendar import WorkingTime
from schemas.envelope.codec import FactCodec
from schemas.envelope.fact import Fact

C_contra = TypeVar("C_contra", contravariant=True)
C = TypeVar("C")
S_contra = TypeVar("S_contra", contravariant=True)
S = TypeVar("S")


class Decide(Protocol[C_contra, S_contra]):
    """The rule of a service. Raises a Refusal."""

    def __call__(self, command: C_contra, state: S_contra, at: datetime, /, *, working_time: WorkingTime) -> Sequence[Fact]:
        """The facts that `command` makes of `state` at `at` (UTC, the database's time), by the calendar of `working_time`."""


@dataclass(frozen=True)
class Decider(Generic[C, S]):
    """What a service decides on and how; nothing of it knows a database, a clock or who asks."""

    initial: S
    """The state of an empty stream."""
    evolve: Callable[[S, Fact, datetime], S]
    """The state after a fact that was recorded at a time (UTC)."""
    decide: Decide[C, S]
    codec: FactCodec
    """How the facts that it decides on are stored."""

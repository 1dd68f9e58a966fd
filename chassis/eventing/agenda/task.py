"""Tasks, as a reaction creates them and as a worker claims them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.envelope import Position, RecordedFact
from schemas.envelope.fact import Fact


@dataclass(frozen=True, slots=True)
class Task:
    """Work that a fact causes: due at once, or at `due_at`."""

    reaction: str
    """The name of what is to be done; stable, since it is part of the command id."""
    key: str = ""
    """Tells items of one reaction in one stream apart for `CancelTask`, for example its second round."""
    ordinal: int = 0
    """Tells items of one reaction to one fact apart."""
    due_at: datetime | None = None
    target: str | None = None
    """The stream that the command goes to; None: the stream of the fact."""
    recipient: str | None = None
    """Items of one stream and recipient are carried out in order. A role, never an address."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What the worker needs beside the stream; coded, never personal data."""


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Cancels earlier tasks of the same stream: those of `reaction` with `key`."""

    reaction: str
    key: str = ""


React = Callable[[Fact, RecordedFact], Iterable[Task | CancelTask]]
"""A service's reaction function: pure, so that a rebuild creates the same tasks again."""


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A row of the agenda that a worker has claimed."""

    id: bytes
    """32 bytes: at the same time the id of the command that carries it out."""
    reaction: str
    key: str
    stream: str
    target: str
    cause: Position
    """The position of the fact that caused it."""
    cause_link: bytes
    ordinal: int
    due_at: datetime | None
    recipient: str | None
    details: Mapping[str, str]
    attempts: int

    @property
    def cause_name(self) -> str:
        """What stands as `cause` in the facts that carry it out."""
        return self.id.hex()

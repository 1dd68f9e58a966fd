"""Append requests and their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.envelope import Position


@dataclass(frozen=True, slots=True)
class NewFact:
    """One fact to append: wire name, version, exact bytes."""

    type: str
    type_version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """One command's facts for one stream, all or none (design.md section 3)."""

    stream: str
    expected: int | None
    """The version that the decision saw (0: the stream must not exist); None for pure records, which cannot conflict."""
    command_id: bytes
    """32 bytes: recognises a repetition for as long as the log is kept."""
    request_hmac: bytes
    """32 bytes: of the canonical command, under the service's key (chassis/eventing/commands/ids.py)."""
    actor: str
    cause: str | None
    meta: bytes
    facts: Sequence[NewFact]
    """1 to 64, together at most 256 kB."""


@dataclass(frozen=True, slots=True)
class EventPosition:
    """The place of one fact of a command in the log."""

    position: Position
    version: int
    link: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """The facts are durable."""

    events: tuple[EventPosition, ...]
    recorded_at: datetime
    log_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same command with the same request was appended before; these are the original places."""

    events: tuple[EventPosition, ...]
    recorded_at: datetime
    log_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The stream is at another version than expected; nothing was appended."""

    actual: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The log refuses this command for good; nothing was appended."""

    reason: str
    """Coded: `request_differs`, `not_the_writer`, `unknown_type`, `wrong_stream_kind`, `too_many_facts`, `too_large`, ..."""


Outcome = Appended | Repeated | Conflict | Refused

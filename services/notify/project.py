"""Facts into notify's rows: what a fact does to the rows of its stream, no rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.projection import Projection, Row, Rows
from schemas.envelope import RecordedFact
from schemas.envelope.folds import RowFold
from schemas.facts import CODEC, notify

NAME: Final = "messages"
VERSION: Final = 1


@dataclass(slots=True)
class Message(Row):
    """Messages sent, by channel."""

    TABLE: ClassVar = "messages"
    KEY: ClassVar = ("stream", "version")
    APPEND_ONLY: ClassVar = True

    stream: str
    version: int
    template: str
    channel: str
    failed: str | None
    at: datetime


def projection() -> EventProcessor:
    """The processor of notify's rows."""
    return Projection(Message).processor(NAME, VERSION, project, codec=CODEC)


@RowFold
def project(rows: Rows, fact: notify.MessageSent | notify.MessageFailed, recorded: RecordedFact) -> None:
    """Apply `fact` to notify's rows."""
    failed = fact.reason if isinstance(fact, notify.MessageFailed) else None
    rows.put(Message(recorded.stream, recorded.version, fact.template, fact.channel, failed, recorded.recorded_at))

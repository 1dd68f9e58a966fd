"""The timeline of a case, straight from the log: every fact with position, hash, time, actor and words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from caselog.chain import compute_link
from schemas.envelope import RecordedFact
from schemas.labels import label


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of a case as an auditor reads it."""

    position: str
    version: int
    type: str
    recorded_at: str
    """UTC, ISO 8601."""
    actor: str
    link: str
    whole: bool
    """Whether the stored bytes give the stored link."""
    words_fa: str
    words_en: str
    body: dict[str, Any]


def timeline(facts: Iterable[RecordedFact]) -> tuple[Entry, ...]:
    """The entries of one stream's facts, in their order."""
    return tuple(
        Entry(
            position=str(fact.position),
            version=fact.version,
            type=f"{fact.type}/{fact.type_version}",
            recorded_at=fact.recorded_at.isoformat(),
            actor=fact.actor,
            link=fact.link.hex(),
            whole=compute_link(fact) == fact.link,
            words_fa=label(fact.type, "fa"),
            words_en=label(fact.type, "en"),
            body=orjson.loads(fact.body),
        )
        for fact in facts
    )


def as_text(entries: Iterable[Entry]) -> str:
    """The timeline for a terminal, a line per fact; a fact whose bytes do not give its link is marked."""
    return "\n".join(
        f"{entry.version:>4}  {entry.recorded_at}  {entry.position:>9}  {entry.link[:12]}  "
        f"{'ok ' if entry.whole else 'BAD'}  {entry.actor:<24}  {entry.type:<26}  {entry.words_en} / {entry.words_fa}"
        for entry in entries
    )

"""Parked work: said in words on pages and at the terminal, behind the words the code; and let go on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
from starlette.requests import Request

from caselog.append import AppendFailed, LogUnavailable
from caselog.db.errors import TRANSIENT
from chassis import refusal
from chassis.eventing.agenda.worker import RetryLater, parked_items, release_item
from chassis.eventing.commands.handler import AppendRefused
from chassis.eventing.processors.inbox import Inbox
from chassis.privacy.vault import KeyGone
from chassis.refusal import Refusal, refusals_in
from chassis.web.formats import clock, day
from chassis.web.i18n import Translations
from chassis.web.pages import translations

ANOTHER_VERSION: Final = "Work from another version"
NOT_TAKEN: Final = "The log did not accept the write."
AWAY_NOW: Final = "A database, a disk or the network did not respond."
NOT_THERE: Final = (
    "Something that this needs is not available yet (another system, a channel, a parked case). It is retried automatically."
)
UNKNOWN_WORK: Final = "This version does not know this kind of work, or part of it is missing."
ERASED: Final = "The data that this needs has been erased."
UNKNOWN_FACT: Final = "A fact has a type or version that is unknown here."
MALFORMED_FACT: Final = "A fact does not match the schema of its type."
UNFORESEEN: Final = "An unexpected fault. Engineers can find it by its code in the log of the process."
SENTENCES: Final = (
    ANOTHER_VERSION, NOT_TAKEN, AWAY_NOW, NOT_THERE, UNKNOWN_WORK, ERASED, UNKNOWN_FACT, MALFORMED_FACT, UNFORESEEN,
)  # fmt: skip
"""All of the above; message ids."""
_TASK: Final = re.compile(r"[0-9a-f]{64}")
_FACT: Final = re.compile(r"[a-z_.]+/\d+(: \w+)?")
"""What a reader says of a fact that it cannot read: its type and version, and of one without its form also the error."""


@dataclass(frozen=True, slots=True)
class Label:
    """Words in the reader's language, and the code that they stand for."""

    words: str
    code: str


class ParkedWork:
    """What is said of the parked work of one service, in one language."""

    def __init__(self, texts: Translations, language: str, kinds: Iterable[type[Refusal]]) -> None:
        """`kinds`: what the service's own decisions refuse."""
        self._texts, self._language = texts, language
        self._kinds = {kind.code: kind for kind in (*refusals_in(refusal), *kinds)}

    def reaction(self, name: str) -> Label:
        """What was to be done; a name that this version does not know is not hidden."""
        return self._named("reaction", name)

    def reader(self, name: str) -> Label:
        """The processor that could not apply a fact."""
        return self._named("reader", name)

    def stream(self, name: str) -> Label:
        """What a stream is about; the code is its whole name."""
        return Label(self._named("stream", name.partition(":")[0]).words, name)

    def reason(self, code: str) -> Label:
        """Why it is not done: the text of the refusal, or a sentence for the kind of error."""
        message = f"refusal.{code}"
        if self._texts.has(self._language, message):
            return Label(self._texts.text(self._language, message), code)
        if code in self._kinds:
            return Label(self._kinds[code].default_text(), code)
        return Label(self._texts.text(self._language, _sentence(code)), code)

    def _named(self, what: str, name: str) -> Label:
        message = f"{what}.{name}"
        known = self._texts.has(self._language, message)
        return Label(self._texts.text(self._language, message if known else ANOTHER_VERSION), name)


class ParkedWorkPage(ParkedWork):
    """What a page of parked work says."""

    def __init__(self, request: Request, kinds: Iterable[type[Refusal]]) -> None:
        """`kinds`: what the service's own decisions refuse."""
        super().__init__(translations(request), request.state.language, kinds)


async def parked_lines(inbox: Inbox, db: asyncpg.Pool, words: ParkedWork) -> list[str]:
    """What each parked stream and item is, in English; the last line of each is what `release` takes, to be copied."""
    lines = []
    for each in await inbox.parked():
        what = f"{words.reader(each.processor).words}: {each.stream} from fact {each.version} on"
        lines.append(_line(what, each.since, words.reason(each.reason), f"release {each.processor} {each.stream}"))
    for row in await parked_items(db):
        task = words.reaction(row["reaction"])
        what = f"{task.words} ({task.code}): {row['stream']}"
        lines.append(_line(what, row["parked_at"], words.reason(row["outcome"]), f"release agenda {row['id'].hex()}"))
    return lines


def _line(what: str, since: datetime | None, why: Label, released: str) -> str:
    parked = f", parked since {day(since, 'en')}, {clock(since, 'en')}" if since else ""
    return f"{what}{parked}\n    {why.words} ({why.code})\n    {released}"


async def release(inbox: Inbox, db: asyncpg.Pool, reader: str, what: str) -> bool:
    """Let a parked stream of `reader`, or an item (64 hex digits) of the agenda, go on; False when nothing so named is parked.

    Raises StillFaulty when the stream still cannot be applied, NotBegun when the reader has applied nothing yet.
    """
    if _TASK.fullmatch(what):
        return await release_item(db, bytes.fromhex(what))
    return reader in inbox.stores and await inbox.release(reader, what)


def _sentence(code: str) -> str:
    """The message id for what is no refusal: the name of an error, or what a reader says of a fact."""
    if found := _FACT.fullmatch(code):
        return MALFORMED_FACT if found[1] else UNKNOWN_FACT
    for sentence, errors in (
        (NOT_THERE, (RetryLater,)),
        (AWAY_NOW, (LogUnavailable, *TRANSIENT)),
        (NOT_TAKEN, (AppendRefused, AppendFailed)),
        (UNKNOWN_WORK, (KeyError,)),
        (ERASED, (KeyGone,)),
    ):
        if code in {name for error in errors for name in _names(error)}:
            return sentence
    return UNFORESEEN


def _names(error: type[BaseException]) -> Iterable[str]:
    yield error.__name__
    for each in error.__subclasses__():
        yield from _names(each)

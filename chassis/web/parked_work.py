"""Parked work in words, for pages and for the terminal: what was to be done, and why it is not; behind the words the code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from caselog.append import AppendFailed, LogUnavailable
from caselog.db.errors import TRANSIENT
from chassis import refusal
from chassis.eventing.agenda.worker import RetryLater
from chassis.eventing.commands.handler import AppendRefused
from chassis.privacy.vault import KeyGone
from chassis.refusal import Refusal, refusals_in
from chassis.web.i18n import Translations

ANOTHER_VERSION: Final = "Work of another version"
NOT_TAKEN: Final = "The log did not take what was to be written."
AWAY_NOW: Final = "A database, a disk or the network did not answer."
NOT_THERE: Final = "What this needs is not there yet (a witness, a channel, a parked case). It is tried again by itself."
UNKNOWN_WORK: Final = "This version does not know such work, or something that belongs to it is missing."
ERASED: Final = "The data that this needs was erased."
UNKNOWN_FACT: Final = "A fact is of a kind or version that is not known here."
MALFORMED_FACT: Final = "A fact does not have the form that its kind promises."
UNFORESEEN: Final = "A fault that nobody foresaw. The engineers find it in the log of the process by its code."
SENTENCES: Final = (
    ANOTHER_VERSION, NOT_TAKEN, AWAY_NOW, NOT_THERE, UNKNOWN_WORK, ERASED, UNKNOWN_FACT, MALFORMED_FACT, UNFORESEEN,
)  # fmt: skip
"""All of the above; message ids."""
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
        """Whose rows a fact could not be brought into."""
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

"""Checks shared by several of review's decisions. Pure."""

from __future__ import annotations

from schemas.catalogue import catalogue
from schemas.envelope.sealing import Clear, DataClass
from services.review.decide.state import State
from services.review.refusals import CaseIsClosed, InvalidField, NoSuchCase, NotYourCase


def exists(state: State) -> None:
    """Raises NoSuchCase."""
    if not state.request_type:
        raise NoSuchCase


def running(state: State) -> None:
    """Raises NoSuchCase or CaseIsClosed."""
    exists(state)
    if state.ended:
        raise CaseIsClosed


def yours(state: State, reviewer: str) -> None:
    """Only the reviewer drawn in this round decides. Raises NotYourCase."""
    running(state)
    if not reviewer or state.drawn != reviewer:
        raise NotYourCase


def code(group: str, key: str, name: str) -> str:
    """`key` if the catalogue has it in `group`; otherwise raises InvalidField at `name`."""
    if key not in catalogue().codes[group]:
        raise InvalidField(name)
    return key


def codes(group: str, keys: tuple[str, ...], name: str) -> tuple[str, ...]:
    """At least one code of `group`; raises InvalidField at `name`."""
    if not keys:
        raise InvalidField(name)
    return tuple(code(group, key, name) for key in keys)


def note(state: State, text: str) -> Clear | None:
    """A note to be sealed, None when there is none; raises InvalidField when it is too long."""
    if len(text) > 2000:
        raise InvalidField("note")
    # Sealed under the alias: review cannot know the person, and must not be able to learn it by asking for a key.
    return Clear(DataClass.PROPERTY, state.applicant, {"text": text}) if text else None

"""Checks shared by several of intake's decisions. Pure."""

from __future__ import annotations

from schemas.catalogue import catalogue
from schemas.envelope.documents import DocumentRef
from services.intake import commands as c
from services.intake.decide.state import State
from services.intake.refusals import CaseIsClosed, InvalidField, NoSuchCase, UnknownDocument


def exists(state: State) -> None:
    """Raises NoSuchCase."""
    if not state.request_type:
        raise NoSuchCase


def running(state: State) -> None:
    """Raises NoSuchCase or CaseIsClosed."""
    exists(state)
    if state.ended:
        raise CaseIsClosed


def document(state: State, document_id: str) -> DocumentRef:
    """The document of this case; raises UnknownDocument."""
    if document_id not in state.documents:
        raise UnknownDocument("document_id")
    return state.documents[document_id]


def code(group: str, key: str, name: str) -> str:
    """`key` if the catalogue has it in `group`; otherwise raises InvalidField at `name`."""
    if key not in catalogue().codes[group]:
        raise InvalidField(name)
    return key


def text(text: str, name: str) -> str:
    """A text of 1 to 2,000 characters; raises InvalidField at `name`."""
    if not 1 <= len(text) <= 2000:
        raise InvalidField(name)
    return text


def stored(command: c.SubmitCase | c.AnswerIdentity | c.AnswerCorrection) -> None:
    """The sealed papers must be the uploaded ones: otherwise the receipt would cover papers that nobody can open."""
    if [(each.kind, each.size) for each in command.documents] != [(each.kind, each.size) for each in command.stored]:
        raise InvalidField("documents")

"""A fold names the facts that it folds: they are the union that its function takes, and every other fact passes it by.

The function matches over that union and ends in `assert_never`, so that the type checker holds the two together. Who leaves a
fact alone on purpose stands in `ignored.toml`: a new fact that is in neither fails a test (tests/services/test_folds.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import update_wrapper
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact

S = TypeVar("S")
R = TypeVar("R")
F = TypeVar("F", bound=Fact)


class StateFold(Generic[S]):
    """A decorator: the state after a fact, which was recorded at a time; another fact leaves the state as it is."""

    def __init__(self, function: Callable[[S, F, datetime], S]) -> None:
        self.facts = _facts(function)
        self._function: Callable[[S, Any, datetime], S] = function
        update_wrapper(self, function)

    def __call__(self, state: S, fact: Fact, at: datetime) -> S:
        return self._function(state, fact, at) if type(fact) in self.facts else state


class RowFold(Generic[R]):
    """A decorator: what a fact does to the rows of its stream; another fact does nothing to them."""

    def __init__(self, function: Callable[[R, F, RecordedFact], None]) -> None:
        self.facts = _facts(function)
        self._function: Callable[[R, Any, RecordedFact], None] = function
        update_wrapper(self, function)

    def __call__(self, rows: R, fact: Fact, recorded: RecordedFact) -> None:
        if type(fact) in self.facts:
            self._function(rows, fact, recorded)


def _facts(function: Callable[..., Any]) -> frozenset[type[Fact]]:
    """The members of the union that `function` takes as `fact`; exact types, since a decoded fact is never of a subclass."""
    union = get_type_hints(function)["fact"]
    return frozenset(get_args(union) or (union,))

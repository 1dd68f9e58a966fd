"""Given these facts, when this is asked, then these facts, or this refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.refusal import Refusal
from schemas.envelope.fact import Fact

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
"""A working day of Iran's week, in office hours."""


@dataclass
class Scenario:
    """One service's decisions, told as a story."""

    initial: Callable[[], Any]
    evolve: Callable[[Any, Any, datetime], Any]
    decide: Callable[[Any, Any, datetime], Sequence[Fact]]
    at: datetime = MONDAY
    state: Any = None

    def given(self, *facts: Any) -> Scenario:
        """What happened before; each an hour after the other."""
        self.state = self.initial()
        for number, fact in enumerate(facts):
            self.state = self.evolve(self.state, fact, MONDAY + timedelta(hours=number))
        self.at = MONDAY + timedelta(hours=len(facts))
        return self

    def when(self, command: Any, *, later: timedelta = timedelta()) -> Outcome:
        """What is asked."""
        if self.state is None:
            self.state = self.initial()
        try:
            return Outcome(list(self.decide(command, self.state, self.at + later)), None)
        except Refusal as refusal:
            return Outcome([], refusal)


@dataclass
class Outcome:
    """What came of it."""

    facts: list[Fact]
    refusal: Refusal | None

    def then(self, *kinds: type[Fact]) -> Any:
        """These facts, and no other; returns the only one."""
        assert self.refusal is None, repr(self.refusal)
        assert [type(fact) for fact in self.facts] == list(kinds)
        return self.facts[0]

    def refused(self, kind: type[Refusal], on: str | None = None) -> None:
        """Refused for this reason, at this field."""
        assert type(self.refusal) is kind, repr(self.refusal)
        if on is not None:
            assert self.refusal is not None
            assert self.refusal.field == on

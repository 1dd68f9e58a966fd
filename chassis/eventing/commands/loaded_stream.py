"""One stream read and folded into the state that a service decides on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from caselog.read import LogReader
from chassis.eventing.commands.decider import Decider
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact

S = TypeVar("S")


@dataclass(frozen=True)
class LoadedStream(Generic[S]):
    """A stream as it stands in the log: the state, and the facts that it was folded from."""

    stream: str
    state: S
    facts: tuple[tuple[RecordedFact, Fact], ...]

    @property
    def version(self) -> int:
        """The version of the last fact: what a page was read at."""
        return self.facts[-1][0].version

    @classmethod
    async def load(cls, log: LogReader, stream: str, decider: Decider[Any, S]) -> Self | None:
        """The stream, or None when it is empty."""
        recorded = await log.stream(stream)
        if not recorded:
            return None
        facts = tuple((each, decider.codec.decode(each.type, each.type_version, each.body)) for each in recorded)
        state = decider.initial
        for each, fact in facts:
            state = decider.evolve(state, fact, each.recorded_at)
        return cls(stream, state, facts)

"""The dependencies of review's pages and tasks."""

from __future__ import annotations

from functools import cached_property

from chassis.runtime.container import Container
from chassis.runtime.deps import Deps, deps_of
from schemas.witnesses import WitnessEntry, load
from services.review.commands import ReviewCommand
from services.review.decide import DECIDER, State
from services.review.read import Cases


class ReviewDeps(Deps[Cases, ReviewCommand, State]):
    """Review's queries and its command handler, on its container; and the witnesses of its draws."""

    @cached_property
    def witnesses(self) -> tuple[WitnessEntry, ...]:
        """Read once: who signs a draw is settled when the process starts."""
        return load(self.container.settings.keys / "witnesses.json")


def open_deps(container: Container) -> ReviewDeps:
    """The dependencies of a process of review."""
    return ReviewDeps(container, Cases(container.db, container.log, container.vault), container.handler(DECIDER))


deps = deps_of(ReviewDeps)

"""The nemesis: strikes a running system at moments that follow from a seed, and counts what it did."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

Strike = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Blow:
    """One strike of a wave."""

    at: float
    """Seconds after the wave's beginning."""
    fault: str


def waves(chance: random.Random, faults: Sequence[str], count: int, seconds: float) -> list[list[Blow]]:
    """`count` waves; in each, every fault strikes once, at a moment of its own within `seconds`."""
    return [sorted((Blow(chance.uniform(0, seconds), fault) for fault in faults), key=lambda blow: blow.at) for _ in range(count)]


@dataclass
class Nemesis:
    """Carries out blows; `struck` counts those that hit."""

    strikes: Mapping[str, Strike]
    struck: Counter[str] = field(default_factory=Counter)

    async def wave(self, blows: Sequence[Blow], seconds: float) -> None:
        """Strike all `blows`, each at its moment; ends when all hit and `seconds` have passed. Raises what a strike raises."""
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(seconds))  # the length of a wave is drawn too: nothing waits for it
            for blow in blows:
                group.create_task(self._strike(blow))

    async def _strike(self, blow: Blow) -> None:
        await asyncio.sleep(blow.at)  # the moment is what was drawn
        await self.strikes[blow.fault]()
        self.struck[blow.fault] += 1

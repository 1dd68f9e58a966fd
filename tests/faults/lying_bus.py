"""A bus that lies: it stands at the seam between a subscription and an inbox, in the test and never in the product."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from chassis.eventing.processors.inbox import Inbox
from schemas.envelope import RecordedFact

WINDOW: Final = 50
"""So many messages are held back and told in another order."""
PAST: Final = 500
"""So far it rewinds."""


class LyingBus:
    """Drops 5 %, repeats 5 %, reorders in windows of 50, and now and then rewinds; `told` counts each lie."""

    def __init__(self, inbox: Inbox, chance: random.Random) -> None:
        self._inbox, self._chance = inbox, chance
        self._held: list[RecordedFact] = []
        self._past: deque[RecordedFact] = deque(maxlen=PAST)
        self.told: Counter[str] = Counter()

    async def take(self, facts: Sequence[RecordedFact]) -> None:
        """As `Inbox.take`, with lies."""
        for fact in facts:
            lie = self._chance.choices(("dropped", "repeated", ""), (5, 5, 90))[0]
            self._held += {"dropped": [], "repeated": [fact, fact]}.get(lie, [fact])
            self.told[lie or "passed on"] += 1
        while len(self._held) >= WINDOW:  # what is held back at the end of a run was dropped
            said, self._held = self._held[:WINDOW], self._held[WINDOW:]
            await self._say(said)

    async def _say(self, said: list[RecordedFact]) -> None:
        self._chance.shuffle(said)
        self.told["reordered"] += len(said)
        if self._past and self._chance.random() < 0.2:
            said = [*list(self._past)[self._chance.randrange(len(self._past)) :], *said]
            self.told["rewound"] += 1
        self._past.extend(said)
        await self._inbox.take(said)

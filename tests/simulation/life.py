"""A process that may be killed, or may freeze, between any two of its steps on the harness."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any, ClassVar, Final


class Fate(StrEnum):
    """What becomes of a process."""

    GOES_ON = "goes on"
    KILLED = "is killed"
    KILLED_APPENDED = "is killed when the log has it, before anybody is told"
    FROZEN = "freezes, and another takes its place"


class Killed(BaseException):
    """The process is no more: nothing of the product may catch this, as nothing catches a SIGKILL."""


class Endless(BaseException):
    """Something asks the harness again and again and comes to no end."""


PATIENCE: Final = 5_000
"""Steps of all processes in one run; the longest takes a few hundred."""
FEW: Final = 4
"""A process seldom appends more than that before it has nothing to do."""


class Life:
    """One process. Each statement, commit and append is a step; after `steps` of them its fate comes."""

    taken: ClassVar[int] = 0
    """Steps of all processes since the last run began."""

    def __init__(self, fate: Fate = Fate.GOES_ON, steps: int = 0) -> None:
        self.fate, self._left = fate, steps % FEW if fate is Fate.KILLED_APPENDED else steps
        self.dead = self.was_frozen = False
        self.frozen: asyncio.Event | None = None
        """Set when the process stands still."""
        self._thawed: asyncio.Event | None = None

    async def step(self, *, holds: bool = False) -> None:
        """One step. `holds`: inside a transaction, where nobody freezes: the others would wait for the row lock."""
        Life.taken += 1
        if Life.taken > PATIENCE:
            raise Endless
        if self.dead:
            raise Killed
        if self.fate in (Fate.GOES_ON, Fate.KILLED_APPENDED):
            return
        self._left -= 1
        if self._left >= 0 and self._thawed is None:
            return
        if self.fate is Fate.KILLED:
            self.dead = True
            raise Killed
        if not holds:
            await self._freeze()

    async def appended(self) -> None:
        """The step after an append: where most is at stake, since what happened is not noted yet."""
        await self.step()
        if self.fate is Fate.KILLED_APPENDED:
            self._left -= 1
            self.dead = self._left < 0
            await self.step()

    async def _freeze(self) -> None:
        if self._thawed is None:
            assert self.frozen is not None
            self._thawed, self.was_frozen = asyncio.Event(), True
            self.frozen.set()
        await self._thawed.wait()

    def thaw(self) -> None:
        """Let a frozen process go on."""
        assert self._thawed is not None
        self.fate = Fate.GOES_ON
        self._thawed.set()


class City:
    """The event loop of all simulated processes."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, work: Any) -> Any:
        """Run something to its end."""
        Life.taken = 0
        return self._loop.run_until_complete(work)

    def live(self, work: Any, life: Life) -> asyncio.Task[Any] | None:
        """Run a process until it ends, is killed, or freezes; a frozen one is answered, to be ended after it was thawed."""
        if life.fate is not Fate.FROZEN:
            try:
                self.run(work)
            except Killed:
                assert life.dead
            return None
        life.frozen = asyncio.Event()
        task = self._loop.create_task(work)
        self.run(_first(task, life.frozen))
        if not task.done():
            return task
        task.result()
        return None

    def close(self) -> None:
        """End."""
        self._loop.close()


async def _first(task: asyncio.Task[Any], frozen: asyncio.Event) -> None:
    stands = asyncio.ensure_future(frozen.wait())
    await asyncio.wait({task, stands}, return_when=asyncio.FIRST_COMPLETED)
    stands.cancel()

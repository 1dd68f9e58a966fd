"""What every part of the bench stands on: one cluster of its own, the length of the run, and how it tells where it is."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka.errors import KafkaError
from eventsourcing.persistence import PersistenceError
from rich.console import Console

from deploy.local import roles
from deploy.local.postgres import Postgres
from deploy.local.subprocesses import StackError
from tests.bench.lines import Line
from tests.bench.samples import Sample, attempted
from tests.databases import Databases

if TYPE_CHECKING:
    from tests.bench.house import House

FAILURES: Final = (
    OSError, EOFError, subprocess.SubprocessError, StackError, KafkaError, PersistenceError,
    asyncpg.PostgresError, asyncpg.InterfaceError,
)  # fmt: skip
"""What a server or a peer may do to us on a busy machine: said in words. Any other error is a mistake of ours, and raises."""


@dataclass(frozen=True)
class Bench:
    """One run. Whatever a part starts it stops itself, also when it is cancelled: Ctrl-C leaves no process."""

    server: Postgres
    directory: Path
    """Gone after the run."""
    rounds: int
    seconds: float
    """How long one round of a line lasts."""
    facts: int
    """The size of the large log."""
    console: Console
    began: float = field(default_factory=time.perf_counter)
    notes: list[str] = field(default_factory=list)
    """What belongs to the figures and is no line: whose processor time it was."""
    kept: AsyncExitStack | None = None
    """In the short form: what is opened here stays open for the parts that follow, and is closed with the run."""
    houses: list[House] = field(default_factory=list)
    """The house that is kept so."""

    def say(self, text: str) -> None:
        """A line of progress on stderr, with the seconds since the start."""
        self.console.print(f"[{time.perf_counter() - self.began:6.1f} s] {text}", markup=False, highlight=False)

    def note(self, text: str) -> None:
        """Say it, and keep it with the figures."""
        self.notes.append(text)
        self.say(text)

    async def databases(self, prefix: str) -> Databases:
        """Databases of a part's own, migrated; they go with the cluster."""
        made = Databases(self.server, roles.passwords(self.directory / "roles.json"), prefix)
        await made.make()
        return made


Measure = Callable[[Bench], Awaitable[list[Line]]]
"""What a part of the bench is."""


async def sampled(measuring: Awaitable[Sample]) -> Sample:
    """One round of one side; in words when it failed."""
    return await attempted(measuring, FAILURES, lambda nothing: nothing)


async def paired(measuring: Awaitable[tuple[Sample, Sample]]) -> tuple[Sample, Sample]:
    """One round that gives two figures; in words, both, when it failed."""
    return await attempted(measuring, FAILURES, lambda nothing: (nothing, nothing))

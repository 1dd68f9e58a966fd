"""People who append to the log of a service in miniature (tests/eventing/harness.py): each waits for an answer and asks again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import asyncpg

from caselog.append import Appender, AppendFailed, LogUnavailable
from caselog.outcomes import AppendRequest, NewFact
from chassis.eventing.processors.inbox import Inbox
from tests.databases import Databases
from tests.eventing.harness import eventually, facts, rows
from tests.faults.checker import Evidence, Projection, check, totals
from tests.faults.effects import facts_of
from tests.faults.recorder import Recorder, Said

PEOPLE: Final = 6
CASES: Final = 40
MOST_REST: Final = 0.03
"""Seconds; the pace of one person."""


@dataclass
class Load:
    """What is asked while the nemesis strikes; every person draws from a seed of their own, whatever the others do."""

    databases: Databases
    recorder: Recorder
    appender: Appender
    seed: int
    poisoned: frozenset[str] = frozenset()
    """Cases in which a third of the facts cannot be applied."""
    asked: Counter[str] = field(default_factory=Counter)

    async def person(self, number: int, stop: asyncio.Event) -> None:
        """Ask until `stop`: new commands, repetitions of earlier ones, decisions on a version that is long gone."""
        chance = random.Random(f"{self.seed} person {number}")
        told: list[AppendRequest] = []
        turn = 0
        while not stop.is_set():
            turn += 1
            case, first = f"case:{chance.randrange(CASES)}", number * 1_000_000 + turn * 10
            poison = case in self.poisoned and chance.random() < 0.3
            command = facts(case, range(first, first + chance.randint(1, 3)), poison=poison)
            kind = chance.choices(("new", "again", "stale", "refused"), (85, 8, 5, 2))[0]
            if kind == "again" and told:
                command = chance.choice(told)
            elif kind == "stale":
                command = replace(command, expected=0)
            elif kind == "refused":
                command = replace(command, facts=[NewFact("case.of.nobody", 1, b"{}")])
            await self._until_answered(command)
            self.asked[kind] += 1
            told.append(command)
            await asyncio.sleep(chance.uniform(0, MOST_REST))  # a person's pace: nothing waits for it

    async def _until_answered(self, command: AppendRequest) -> None:
        while True:
            try:
                await self.recorder.append(self.appender, command, key=command.command_id.hex()[:16])
            except (LogUnavailable, AppendFailed):
                continue  # the same command again: that is what makes a lost answer safe
            return

    async def asked_at_least(self, count: int) -> None:
        """Wait until `count` more commands were answered."""
        goal = self.asked.total() + count

        async def reached() -> bool:
            return self.asked.total() >= goal

        await eventually(reached, 120)

    async def holds(self, inbox: Inbox, db: asyncpg.Pool, *, struck: Counter[str]) -> None:
        """Print the totals, and fail on whatever is wrong, once the inbox has read all that there is."""
        await eventually(lambda: inbox.caught_up("rows"), 90)
        assert await inbox.parked() == []
        async with self.databases.reader() as log:
            log_facts = await facts_of(log)
        fresh = [(fact.shard, fact.seq, fact.stream, fact.link, fact.body) for fact in log_facts]
        history = self.recorder.history()
        wrong = check(Evidence(history, log_facts, [Projection("rows", await rows(db), fresh)]))
        said = Counter(operation.said.value for operation in history)
        print(f"seed {self.seed}: struck {dict(struck)}; operations {dict(said)}; facts {len(log_facts)}; {self.recorder.path}")
        print(f"wrong {totals(wrong)}")
        assert wrong == []
        assert said[Said.OK] > 0
        assert said[Said.FAILED] > 0


@asynccontextmanager
async def under_load(
    databases: Databases, directory: Path, seed: int, poisoned: frozenset[str] = frozenset()
) -> AsyncIterator[Load]:
    """A load with its record under `directory`; it asks inside of `asking`."""
    recorder = Recorder(directory / f"history-{seed}.jsonl")
    async with databases.appender() as appender:
        load = Load(databases, recorder, appender, seed, poisoned)
        yield load
    recorder.close()


@asynccontextmanager
async def asking(load: Load) -> AsyncIterator[None]:
    """Everybody asks as long as the block lives, and has had the last answer when it ends."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(PEOPLE):
            group.create_task(load.person(number, stop))
        yield
        stop.set()

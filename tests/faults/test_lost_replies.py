"""Commits whose reply was lost, by the hundred, under concurrent callers: none lost, none doubled, the original receipt.

`LOST=` asks for more of them, `SEED=` replays a run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from caselog.append import Appender, LogUnavailable
from caselog.outcomes import Appended, AppendRequest, Repeated
from tests.caselog.commands import a_command
from tests.databases import Databases
from tests.faults.checker import Evidence, check, totals
from tests.faults.effects import facts_of
from tests.faults.proxy import LostReplies, Proxy, asks_to_append, postgres_is_ready, proxy
from tests.faults.recorder import Recorder, attempts
from tests.faults.seeds import seed_of

LOST = int(os.environ.get("LOST", "120"))
"""Replies; each is that of a whole batch."""
PROCESSES = 4
CALLERS = 8
"""In each process."""


@pytest.mark.timeout(120 + LOST)
async def test_hundreds_of_lost_replies_under_concurrent_callers_lose_and_double_nothing(
    databases: Databases, tmp_path: Path
) -> None:
    seed = seed_of(f"{LOST} lost replies, {PROCESSES} processes x {CALLERS} callers")
    recorder, outcomes = Recorder(tmp_path / "history.jsonl"), Counter[str]()
    async with AsyncExitStack() as stack:
        wires: list[Proxy] = []
        callers = []
        for process in range(PROCESSES):
            wire = await stack.enter_async_context(proxy(databases.server.port, seed + process))
            wire.replies = LostReplies(0.7, LOST // PROCESSES, asks_to_append, postgres_is_ready)
            appender = await stack.enter_async_context(databases.appender(port=wire.port))
            callers += [
                _caller(f"{process}.{n}", appender, wire, recorder, random.Random(f"{seed} {process} {n}"))
                for n in range(CALLERS)
            ]
            wires.append(wire)
        for each in await asyncio.gather(*callers):
            outcomes += each
        log = await stack.enter_async_context(databases.reader())
        facts = await facts_of(log)
    lost = sum(wire.replies.lost for wire in wires if wire.replies)
    operations = recorder.history()
    faults = check(Evidence(operations, facts))
    print(f"{len(operations)} operations, {len(facts)} facts, {lost} replies lost, {dict(outcomes)}; {totals(faults)}")
    assert faults == []
    assert lost == LOST // PROCESSES * PROCESSES
    assert outcomes["Repeated"] - outcomes["again"] >= LOST // 4  # a batch may lose its reply several times
    assert len(facts) == len(attempts(operations)) == outcomes["Appended"] + outcomes["Repeated"] - outcomes["again"]


async def _caller(name: str, appender: Appender, wire: Proxy, recorder: Recorder, chance: random.Random) -> Counter[str]:
    """Append one command after the other until enough replies were lost; ask now and then a second time, as people do."""
    found: Counter[str] = Counter()
    async for number in _until_lost(wire):
        command = a_command(f"case:{chance.randrange(60)}", f"{name} {number}")
        outcome = await _insist(appender, recorder, command)
        found[type(outcome).__name__] += 1
        if chance.random() < 0.1:
            again = await _insist(appender, recorder, command)
            found[type(again).__name__] += 1
            found["again"] += 1
            assert isinstance(again, Repeated)
            assert (again.events, again.recorded_at) == (outcome.events, outcome.recorded_at)
    return found


async def _insist(appender: Appender, recorder: Recorder, command: AppendRequest) -> Appended | Repeated:
    """Send the same command until an answer comes."""
    while True:
        try:
            outcome = await recorder.append(appender, command)
        except LogUnavailable:
            continue
        assert isinstance(outcome, Appended | Repeated)
        return outcome


async def _until_lost(wire: Proxy) -> AsyncIterator[int]:
    number = 0
    while wire.replies and wire.replies.most is not None and wire.replies.lost < wire.replies.most:
        yield number
        number += 1

"""Whatever is killed while people work, nothing is lost, nothing is doubled, and all projections equal a rebuild."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from deploy.demo.week import plans
from deploy.local.processes import PROCESSES
from tests.journeys.stack import Stack

KILLS = int(os.environ.get("KILLS", "3"))
"""Of each process; `make faults` asks for more."""


@pytest.mark.timeout(600 + 60 * KILLS)
async def test_every_process_killed_three_times_under_load_loses_and_doubles_nothing(house: Stack) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    names = [process.name for process in PROCESSES if process.name not in ("witness", "audit")] + ["kafka", "postgres"]
    order = names * KILLS
    chance.shuffle(order)
    stop = asyncio.Event()
    load = asyncio.create_task(load_until(stop, house, seed))
    wiped = False
    for name in order:
        await asyncio.sleep(chance.uniform(0.1, 0.6))  # the moment of a kill is what is drawn here; nothing waits for it
        if name == "kafka" and not wiped:
            wiped = True
            await asyncio.to_thread(house.wipe_kafka)
        else:
            await asyncio.to_thread(house.kill, name)
        assert not load.done(), f"{load.exception()!r}\n{house.faults()}"
    stop.set()
    assert await load >= 15
    await house.equals_a_rebuild()


async def load_until(stop: asyncio.Event, house: Stack, seed: int) -> int:
    """Walk requests until `stop` (at least 15); how many came to their end."""
    walked = 0
    while not stop.is_set() or walked < 15:
        walked += len(await house.walk(plans(5, seed + walked), at_once=5))
    return walked

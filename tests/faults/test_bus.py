"""A bus that lies, is wiped, is shared out anew or is served by a zombie: each fact is applied once, and none is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import asyncpg
import httpx2
import pytest

from chassis.eventing.kafka.consumer import subscription
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import Batch
from deploy.kafka.broker import Broker
from deploy.local.subprocesses import free_port, start
from schemas.facts.intake import CaseWithdrawn
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import apply, eventually, inbox_of, prepare, put, relaying
from tests.faults import nemesis
from tests.faults.load import asking, under_load
from tests.faults.lying_bus import LyingBus
from tests.faults.seeds import seed_of

ROUNDS: Final = int(os.environ.get("KILLS", "0"))
"""`make faults` strikes so often; 0 is the short form of each test."""
pytestmark = pytest.mark.timeout(180 + 60 * ROUNDS)


@asynccontextmanager
async def subscribed(broker: Broker, inbox: Inbox | LyingBus, *, most_seconds: float | None = None) -> AsyncIterator[None]:
    """A subscription of the one group; `most_seconds`: how long a handler may take before its shards go to another."""
    bus = subscription(broker.connection, "faults", cast(Inbox, inbox))
    if most_seconds is not None:
        cast(Any, bus.subscribers[0])._connection_args["max_poll_interval_ms"] = int(most_seconds * 1000)
    await bus.start()
    try:
        yield
    finally:
        await bus.stop()


async def test_a_bus_that_drops_repeats_reorders_and_rewinds_loses_and_doubles_nothing(
    databases: Databases, own_broker: Broker, tmp_path: Path
) -> None:
    seed = seed_of("faults of the bus")
    await prepare(databases)
    async with (
        under_load(databases, tmp_path, seed) as load,
        relaying(databases, own_broker.connection),
        inbox_of(databases) as (inbox, db),
    ):
        bus = LyingBus(inbox, random.Random(seed))
        async with subscribed(own_broker, bus):
            async with asking(load):
                await load.asked_at_least(max(800, 100 * ROUNDS))
            await load.holds(inbox, db, struck=bus.told)
        assert all(bus.told[lie] for lie in ("dropped", "repeated", "reordered", "rewound")), bus.told


@pytest.mark.parametrize("wiped", [False, True], ids=["killed", "wiped"])
async def test_a_broker_that_dies_again_and_again_loses_and_doubles_nothing(
    databases: Databases, own_broker: Broker, tmp_path: Path, wiped: bool
) -> None:
    """Only killed, it must carry every fact in the end: the log repairs nothing then."""
    seed = seed_of("faults of the bus")
    chance = random.Random(seed)
    await prepare(databases)

    async def die() -> None:
        await asyncio.to_thread(own_broker.kill)
        if wiped:
            own_broker.wipe()
        await asyncio.to_thread(own_broker.start, own_broker.port)

    fault = "broker wiped" if wiped else "broker killed"
    strikes = nemesis.Nemesis({fault: die})
    async with (
        under_load(databases, tmp_path, seed) as load,
        relaying(databases, own_broker.connection),
        inbox_of(databases, refill=wiped) as (inbox, db),
        subscribed(own_broker, inbox),
    ):
        async with asking(load):
            for _ in range(ROUNDS or 3):
                await strikes.wave([nemesis.Blow(chance.uniform(0.2, 1.0), fault)], 0)
                await load.asked_at_least(50)
        await load.holds(inbox, db, struck=strikes.struck)


async def test_two_instances_of_a_service_among_which_the_shards_are_shared_out_anew_apply_each_fact_once(
    databases: Databases, own_broker: Broker, tmp_path: Path
) -> None:
    seed = seed_of("faults of the bus")
    await prepare(databases)
    struck: Counter[str] = Counter()
    async with (
        under_load(databases, tmp_path, seed) as load,
        relaying(databases, own_broker.connection),
        inbox_of(databases) as (one, db),
        inbox_of(databases) as (two, _),
        subscribed(own_broker, one),
    ):
        async with asking(load):
            for _ in range(ROUNDS or 4):
                async with subscribed(own_broker, two):
                    await asyncio.sleep(5 if ROUNDS else 1.5)  # how long both are members: the rhythm of the fault itself
                await load.asked_at_least(50)
                struck["joined and left"] += 1
        await load.holds(one, db, struck=struck)


async def test_a_handler_slower_than_the_poll_interval_loses_its_shards_and_nothing_is_doubled(
    databases: Databases, own_broker: Broker, tmp_path: Path
) -> None:
    seed = seed_of("faults of the bus")
    chance = random.Random(seed)
    await prepare(databases)
    struck: Counter[str] = Counter()

    async def slowly(connection: asyncpg.Connection, run: Batch) -> None:
        if struck["slow"] < (ROUNDS or 3) and chance.random() < 0.02:
            struck["slow"] += 1
            await asyncio.sleep(2.5)  # longer than the poll interval below, inside the transaction: the fault itself
        await apply(connection, run)

    async with (
        under_load(databases, tmp_path, seed) as load,
        relaying(databases, own_broker.connection),
        inbox_of(databases, applying=slowly) as (one, db),
        inbox_of(databases, applying=slowly) as (two, _),
        subscribed(own_broker, one, most_seconds=1),
        subscribed(own_broker, two, most_seconds=1),
    ):
        async with asking(load):
            while struck["slow"] < (ROUNDS or 3):
                await load.asked_at_least(50)
        await load.holds(one, db, struck=struck)


async def test_cases_with_poison_are_parked_others_flow_and_released_they_are_whole(
    databases: Databases, own_broker: Broker, tmp_path: Path
) -> None:
    seed = seed_of("faults of the bus")
    await prepare(databases)
    poisoned = frozenset(f"case:{number}" for number in range(10))
    healed = asyncio.Event()

    async def faulty(connection: asyncpg.Connection, run: Batch) -> None:
        if any(isinstance(fact, CaseWithdrawn) for fact, _ in run) and not healed.is_set():
            raise ValueError("cannot be applied")
        await put(connection, run)

    async def parked() -> set[str]:
        return {each.stream for each in await inbox.parked()}

    async with (
        under_load(databases, tmp_path, seed, poisoned) as load,
        relaying(databases, own_broker.connection),
        inbox_of(databases, applying=faulty) as (inbox, db),
        subscribed(own_broker, inbox),
    ):
        async with asking(load):
            await load.asked_at_least(400)
            await eventually(lambda: _is(parked, poisoned), 60)
            healed.set()  # the fault of ours is repaired, and an engineer lets the cases go on
            for stream in sorted(poisoned):
                assert await inbox.release("rows", stream)
            await load.asked_at_least(100)
        await load.holds(inbox, db, struck=Counter({"parked and released": len(poisoned)}))


async def _is(look: Any, expected: frozenset[str]) -> bool:
    return bool(await look() == expected)


@asynccontextmanager
async def relay_process(databases: Databases, broker: Broker, output: Path) -> AsyncIterator[tuple[subprocess.Popen[bytes], str]]:
    """The relay as the process that it is, and its door."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PARVANDEH_DATABASE_URL": f"postgresql://127.0.0.1:{databases.server.port}",
        "PARVANDEH_DATABASE_PREFIX": databases.prefix,
        "PARVANDEH_PASSWORD": databases.passwords["relay"],
        "PARVANDEH_READER_PASSWORD": databases.passwords["relay_reader"],
        "PARVANDEH_KAFKA": broker.bootstrap,
        "PARVANDEH_PORT": str(port),
    }
    python = str(ROOT / ".venv/bin/python")
    with output.open("ab") as log:
        child = start([python, "-m", "chassis.runtime.relay_process"], log, environment=environment)
    try:
        yield child, f"http://127.0.0.1:{port}/status.json"
    finally:
        child.kill()
        child.wait()


async def leads(door: str) -> bool:
    try:
        async with httpx2.AsyncClient(timeout=2) as client:
            found = (await client.get(door)).json()
    except httpx2.HTTPError:
        return False
    return bool(found["leading"] and found["connected"])


async def test_a_relay_that_was_frozen_is_replaced_and_does_no_harm_when_it_goes_on(
    databases: Databases, own_broker: Broker, tmp_path: Path
) -> None:
    seed = seed_of("faults of the bus")
    await prepare(databases)
    struck: Counter[str] = Counter()
    output = tmp_path / "relays.log"
    async with (
        under_load(databases, tmp_path, seed) as load,
        relay_process(databases, own_broker, output) as one,
        relay_process(databases, own_broker, output) as two,
        inbox_of(databases, refill=False) as (inbox, db),  # the bus alone must carry everything
        subscribed(own_broker, inbox),
    ):
        async with asking(load):
            for _ in range(ROUNDS or 2):
                await eventually(lambda: _one_leads(one[1], two[1]), 30)
                leader, other = (one, two) if await leads(one[1]) else (two, one)
                await load.asked_at_least(50)
                leader[0].send_signal(signal.SIGSTOP)
                await eventually(lambda door=other[1]: leads(door), 30)  # type: ignore[misc]
                await load.asked_at_least(50)
                leader[0].send_signal(signal.SIGCONT)
                await eventually(lambda door=leader[1]: _stepped_back(door), 30)  # type: ignore[misc]
                struck["frozen and continued"] += 1
        await load.holds(inbox, db, struck=struck)


async def _one_leads(one: str, two: str) -> bool:
    return await leads(one) != await leads(two)


async def _stepped_back(door: str) -> bool:
    async with httpx2.AsyncClient(timeout=2) as client:
        return not (await client.get(door)).json()["leading"]

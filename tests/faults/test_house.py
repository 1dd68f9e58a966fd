"""Whatever dies in a house where people work, and how often: nothing is lost, nothing doubled, everything equals a rebuild."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from aiosmtpd.controller import Controller

from deploy.local import roles
from deploy.local.processes import AGENDA_APART, running
from deploy.local.subprocesses import free_port
from tests.eventing.harness import eventually
from tests.faults import nemesis
from tests.faults.checker import check, totals
from tests.faults.crowd import Crowd, Mails, evidence, heads
from tests.faults.recorder import Recorder, Said
from tests.faults.seeds import seed_of
from tests.faults.test_reread import SET_BACK
from tests.journeys.stack import TABLES, Stack

KILLS: Final = int(os.environ.get("KILLS", "10"))
"""Of each process, and now and then of all at once or of the checkpoints; `make faults` asks for more."""
SPREAD_SECONDS: Final = 6.0
"""In a wave everything dies once, within so many seconds."""
WAVE_SECONDS: Final = 10.5
"""A little longer than a steady run, so that who was killed is started again at once."""
SERVED: Final = 5
"""So many forms are answered between two waves: the house lives again, and what dies next dies at work."""
SERVERS: Final = ("kafka", "postgres")


@pytest.fixture
def mails() -> Iterator[tuple[Mails, str]]:
    """A real mail server, and where it is."""
    kept = Mails()
    server = Controller(kept, hostname="127.0.0.1", port=free_port())
    server.start()
    yield kept, f"127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def seed() -> int:
    return seed_of("the house in waves")


@pytest.fixture
def house(mails: tuple[Mails, str], seed: int) -> Iterator[Stack]:
    """A house of the test's own, which sends its mail to the server above.

    Two of its four agendas have processes of their own, the others die with the pages beside which they work.
    """
    apart = random.Random(seed).sample(roles.SERVICES, 2)
    stack = Stack({"PARVANDEH_SMTP": mails[1], AGENDA_APART: ",".join(apart)})
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def strikes(house: Stack) -> nemesis.Nemesis:
    """What the nemesis can do to a house."""

    async def set_back() -> None:
        for service in TABLES:
            connection = await asyncpg.connect(**house.settings_of(service).as_owner(service))
            try:
                await connection.execute(SET_BACK)
            finally:
                await connection.close()

    killing = {name: partial(asyncio.to_thread, house.kill, name) for name in (*victims_of(house), "fork-server")}
    wiping = {"kafka wiped": partial(asyncio.to_thread, house.wipe_kafka)}
    return nemesis.Nemesis({**killing, **wiping, "checkpoints set back": _patiently(set_back)})


def victims_of(house: Stack) -> tuple[str, ...]:
    """What dies in every wave."""
    return (*(process.name for process in running(house.settings)), *SERVERS)


def _patiently(strike: nemesis.Strike) -> nemesis.Strike:
    """The server may be one of the dead just now: the strike hits when it is back."""

    async def again() -> None:
        end = time.monotonic() + 60
        while True:
            try:
                await strike()
                return
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(0.2)  # asked again until the deadline

    return again


async def _served(recorder: Recorder, goal: int, load: asyncio.Task[None]) -> bool:
    return recorder.said[Said.OK] >= goal or load.done()


@pytest.mark.timeout(600 + 60 * KILLS)
async def test_everything_that_is_killed_again_and_again_under_load_loses_and_doubles_nothing(
    house: Stack, mails: tuple[Mails, str], seed: int, tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path / f"history-{seed}.jsonl")
    crowd, before, striking, victims = Crowd(house, recorder, seed), await heads(house), strikes(house), victims_of(house)
    stop = asyncio.Event()
    load = asyncio.create_task(crowd.walk_until(stop))
    began = time.monotonic()
    for number, blows in enumerate(nemesis.waves(random.Random(seed), victims, KILLS, SPREAD_SECONDS)):
        extra = [nemesis.Blow(SPREAD_SECONDS / 2, "checkpoints set back")] if number % 5 == 2 else []
        if number % 5 == 1:  # now and then the broker's data goes with it
            blows = [nemesis.Blow(blow.at, "kafka wiped") if blow.fault == "kafka" else blow for blow in blows]
        if number % 5 == 3:  # all of ours at once
            extra = [nemesis.Blow(SPREAD_SECONDS / 2, "fork-server")]
        await striking.wave([*blows, *extra], WAVE_SECONDS)
        goal = recorder.said[Said.OK] + SERVED
        await eventually(lambda goal=goal: _served(recorder, goal, load), 300)  # type: ignore[misc]
        assert not load.done(), f"{load.exception()!r}\n{house.faults()}"
    struck = time.monotonic() - began
    stop.set()
    await load
    found = await evidence(house, crowd, mails[0], before, sum(striking.struck[name] for name in victims))
    recorder.close()
    wrong = check(found)
    repeats = len(mails[0].kept) - len({send.key for send in mails[0].sends()})
    print(f"seed {seed}: {KILLS} waves in {struck:.0f} s; struck {dict(striking.struck)}")
    print(f"requests {len(crowd.walked)}; operations {len(found.operations)}; facts {len(found.facts)}; {recorder.path}")
    print(f"mails {len(mails[0].kept)}, repeated {repeats}")
    print(f"wrong {totals(wrong)}")
    assert wrong == []
    assert crowd.walked, "a load that never came to an end shows nothing"
    assert len(found.sends or ()) > 0

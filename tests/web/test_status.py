"""What a service says of itself is so: halted shards, parked streams and what it is behind are counted, by all five alike."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from caselog.outcomes import Appended, AppendRequest
from chassis.eventing.processors.bus_share import ENOUGH
from schemas.envelope import shard_of
from schemas.facts.intake import CaseSubmitted
from services.intake.pages.status import ProcessStatus
from services.review.app import SERVICE as REVIEW
from tests.databases import Databases
from tests.eventing.harness import eventually, fill, inbox_of, prepare
from tests.faults.test_reread import sample
from tests.web.city import PROCESSES, City, opened

HALTED = 5
READY = {"database": True, "log": True}


@asynccontextmanager
async def planted(city: City, service: str) -> AsyncIterator[list[int]]:
    """Each reader of a service with five shards at a fork and two parked streams; afterwards all is as it was."""
    owner = await city.databases.connect(service, "owner")
    shards = sorted({shard_of(f"case:{service}{number}") for number in range(40)})[:HALTED]
    for reader, version in await owner.fetch("SELECT DISTINCT reader, version FROM checkpoints"):
        await owner.execute("UPDATE checkpoints SET halted = 'fork at 1' WHERE reader = $1 AND shard = ANY($2)", reader, shards)
        for stream in ("case:lost", "case:gone"):
            row = "(reader, version, stream, shard, from_version, reason) VALUES ($1, $2, $3, 0, 1, 'ZeroDivisionError')"
            await owner.execute(f"INSERT INTO parked_streams {row}", reader, version, stream)
    yield shards
    await owner.execute("UPDATE checkpoints SET halted = NULL; DELETE FROM parked_streams")
    await owner.close()


async def file(databases: Databases, cases: Sequence[str]) -> None:
    async with databases.appender("intake") as appender:
        for case in cases:
            command = hashlib.sha256(case.encode()).digest()
            append = AppendRequest(f"case:{case}", None, command, bytes(32), "x:y", None, b"{}", [sample(CaseSubmitted)])
            assert isinstance(await appender.append(append), Appended)


async def told(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/status.json")).json()["readers"]
    return found


@pytest.mark.parametrize("service", list(PROCESSES))
async def test_halted_shards_parked_streams_and_what_it_is_behind_are_said_by_every_service(city: City, service: str) -> None:
    async with opened(PROCESSES[service].create_app(city.settings_of(service)), service) as client:

        async def caught_up() -> bool:
            return not any(each["behind"] for each in await told(client))

        await eventually(caught_up)
        assert {(each["halted"], each["parked"]) for each in await told(client)} == {(0, 0)}
        async with planted(city, service) as shards:
            cases = [f"{service}{number}" for number in range(40) if shard_of(f"case:{service}{number}") in shards]
            await file(city.databases, cases)
            found = await told(client)
            for each in found:
                assert (each["halted"], each["parked"], each["behind"]) == (HALTED, 2, len(cases)), each
                assert (each["stopped"], each["share"]) == (False, None)
            # A fork is no reason to shut the door, at any service: the other shards go on. Whoever watches is told.
            ready = await client.get("/ready")
            assert (ready.status_code, ready.json()) == (200, READY)

            async def measured() -> bool:
                text = (await client.get("/metrics")).text
                return all(f'parvandeh_halted_shards{{reader="{each["reader"]}"}} {HALTED}.0\n' in text for each in found)

            await eventually(measured)
            door = ProcessStatus(service, (await client.get("/status.json")).json())
            for message in ("A shard has stopped at a fork: call the engineers at once.", "Cases are parked."):
                assert message in door.troubles
        await eventually(caught_up)


async def test_a_reader_that_stopped_is_said(city: City) -> None:
    door = PROCESSES["audit"].create_app(city.settings_of("audit"))
    async with opened(door, "audit") as client:
        door.state.container.inbox.stopped.add("cases")
        assert [each["stopped"] for each in await told(client)] == [True]


async def test_only_who_takes_facts_from_the_bus_says_whether_the_broker_lets_it(city: City) -> None:
    async with opened(REVIEW.create_agenda_app(city.settings_of("review", bus=True, kafka="127.0.0.1:1")), "agenda") as client:
        assert set((await client.get("/ready")).json()) == {"gate", *READY}  # it has an inbox, and nothing feeds it
    door = REVIEW.create_app(city.settings_of("review", bus=True, kafka="127.0.0.1:1"))
    async with opened(door, "review") as client:
        door.state.container.inbox.refused = "not this one"
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()) == (503, READY | {"bus": False})
    async with opened(PROCESSES["audit"].create_app(city.settings_of("audit", bus=True, kafka="127.0.0.1:1")), "audit") as client:
        assert (await client.get("/ready")).json() == READY


async def test_without_a_bus_there_is_no_share_of_it(databases: Databases) -> None:
    await prepare(databases)
    async with databases.appender() as appender, inbox_of(databases, bus=False) as (inbox, _):
        await fill(appender, 1)
        await eventually(lambda: inbox.caught_up("rows"))  # it has looked at the log: what comes now is new
        await fill(appender, ENOUGH + 50, tag="new")
        await eventually(lambda: inbox.caught_up("rows"))
        assert inbox.share("rows") is None


def reader(**found: object) -> dict[str, object]:
    return {"reader": "cases", "behind": 0, "halted": 0, "parked": 0, "stopped": False, "share": None, **found}


@pytest.mark.parametrize(
    ("share", "troubles"),
    [(None, 0), (1.0, 0), (0.99, 0), (0.98, 1), (0.0, 1)],
)
def test_a_bus_that_brings_nothing_at_all_is_a_trouble_too(share: float | None, troubles: int) -> None:
    assert len(ProcessStatus("review", {"readers": [reader(), reader(share=share)], "agenda": None}).troubles) == troubles

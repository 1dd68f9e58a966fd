"""A rebuild of the agenda keeps what no fact says: who has an item in hands, what is parked and since when, what waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from caselog.read import LogReader
from chassis.eventing.agenda.processor import agenda_processor
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import RetryLater
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.rebuild import Rebuild
from schemas.facts import CODEC
from schemas.facts.intake import CaseWithdrawn
from tests.databases import Databases
from tests.eventing.agenda.harness import NotNow, harness, react
from tests.eventing.harness import eventually

OF_THE_DAY = "SELECT id, state, outcome, attempts, next_at, leased_until, parked_at FROM agenda ORDER BY id"


async def test_a_parked_item_a_waiting_one_and_a_leased_one_are_as_they_were(databases: Databases) -> None:
    async def refuse(item: ClaimedTask) -> None:
        raise RetryLater if item.ordinal == 0 else NotNow

    async with harness(databases) as here:
        await here.tell("case:a", CaseWithdrawn(reason="sold"))
        await here.worker(resume=refuse).work_once()
        await here.tell("case:b", CaseWithdrawn(reason="sold"))
        await eventually(lambda: here.inbox.caught_up("agenda"))
        await here.db.execute(
            "UPDATE agenda SET leased_until = now() + interval '1 hour' WHERE stream = 'case:b' AND ordinal = 0"
        )
        before = [tuple(row) for row in await here.db.fetch(OF_THE_DAY)]
        assert sorted(row[1] for row in before) == ["open"] * 4 + ["parked"] * 2
        assert sorted(row[6] is not None for row in before) == [False] * 4 + [True] * 2

        @asynccontextmanager
        async def open_processor() -> AsyncIterator[tuple[EventProcessor, LogReader]]:
            async with databases.reader() as log:
                yield agenda_processor("review", 1, react, codec=CODEC), log

        assert (await Rebuild(open_processor, databases.where("review", "owner")).run()).differing == {"agenda": 0}
        assert [tuple(row) for row in await here.db.fetch(OF_THE_DAY)] == before

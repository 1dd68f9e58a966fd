"""What is owed is carried out: each reaction exactly once in the log, whatever is killed, repeated or rebuilt."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import ATTEMPTS, RetryLater, overview, parked_items, release_item, trying_items
from chassis.principal import Principal
from chassis.refusal import PageIsStale, Stale
from schemas.facts.intake import CaseWithdrawn, CorrectionAnswered, IdentityConfirmed
from schemas.facts.review import CaseResumed, CorrectionOverdue, CorrectionRequested
from tests.databases import Databases
from tests.eventing.agenda.harness import NOW, AgendaHarness, NotNow, Resume, answered, asked, harness
from tests.eventing.harness import eventually


async def test_a_reaction_is_carried_out_once_and_its_item_is_closed_by_its_fact(databases: Databases) -> None:
    async with harness(databases) as here:
        await here.tell("case:a", IdentityConfirmed())
        worker = here.worker()
        assert await worker.work_once() == 1
        assert await worker.work_once() == 0
        (fact,) = [each for each in await here.log.stream("case:a") if each.type == CaseResumed.TYPE]
        assert fact.cause is not None
        assert fact.command == bytes.fromhex(fact.cause)
        assert await here.items() == [("closed", "done")]


async def test_workers_killed_at_any_await_lose_and_double_nothing(databases: Databases) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    async with harness(databases) as here:
        for number in range(40):
            await here.tell(f"case:k{number}", CaseWithdrawn(reason="sold"))
        connection = await databases.connect("review", "owner")

        async def all_done() -> bool:
            tasks = [asyncio.create_task(here.worker().work_once()) for _ in range(2)]
            await asyncio.wait(tasks, timeout=chance.uniform(0.001, 0.05))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # What a killed worker held is free when its lease is over.
            await connection.execute("UPDATE agenda SET leased_until = '-infinity', next_at = '-infinity' WHERE state = 'open'")
            return all(state == "closed" for state, _ in await here.items())

        await eventually(all_done, 90)
        await connection.close()
        assert await here.facts(CaseResumed) == 120
        for number in range(40):
            resumed = [each for each in await here.log.stream(f"case:k{number}") if each.type == CaseResumed.TYPE]
            assert len({each.command for each in resumed}) == len(resumed) == 3


async def test_what_the_log_shows_as_done_is_closed_and_not_done_again(databases: Databases) -> None:
    async with harness(databases) as here:
        await here.tell("case:a", IdentityConfirmed())
        await here.worker().work_once()
        connection = await databases.connect("review", "owner")
        await connection.execute("UPDATE agenda SET state = 'open', outcome = NULL, leased_until = '-infinity'")
        await connection.close()
        before = list(here.done)
        assert await here.worker().work_once() == 1
        assert here.done == before
        assert await here.items() == [("closed", "done")]


async def test_a_rebuilt_agenda_sends_nothing_again(databases: Databases) -> None:
    async with harness(databases) as here:
        for number in range(20):
            await here.tell(f"case:r{number}", CaseWithdrawn(reason="sold"))
        while await here.worker().work_once():
            pass
        assert len(here.done) == 60
        connection = await databases.connect("review", "owner")
        # First the checkpoints, as the reader locks them: it still applies what was appended, and would meet us crosswise.
        await connection.execute("UPDATE checkpoints SET seq = 0, hash = decode(repeat('00', 32), 'hex'); TRUNCATE agenda")
        await connection.close()
        await eventually(lambda: here.inbox.caught_up("agenda"))
        worker = here.worker()
        task = asyncio.create_task(worker.run())
        await eventually(lambda: _all_closed(here))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(here.done) == 60
        assert await here.facts(CaseResumed) == 60


async def _all_closed(here: AgendaHarness) -> bool:
    items = await here.items()
    return len(items) == 60 and all(state == "closed" for state, _ in items)


async def test_a_timer_waits_for_its_time_and_a_cancelling_fact_takes_it_off(databases: Databases) -> None:
    async with harness(databases) as here:
        future = datetime.now(UTC) + timedelta(days=3)
        await here.tell("case:late", asked(1, NOW), by=here.appender)
        await here.tell("case:early", asked(1, future), by=here.appender)
        await here.tell("case:done", asked(2, NOW), by=here.appender)
        await here.tell("case:done", answered(2))
        await here.worker().work_once()
        late = [each.type for each in await here.log.stream("case:late")]
        assert late == [CorrectionRequested.TYPE, CorrectionOverdue.TYPE]
        assert len(await here.log.stream("case:early")) == 1
        assert [each.type for each in await here.log.stream("case:done")] == [CorrectionRequested.TYPE, CorrectionAnswered.TYPE]
        states = await here.db.fetch("SELECT stream, state, outcome FROM agenda ORDER BY stream")
        assert [tuple(row) for row in states] == [
            ("case:done", "closed", "cancelled"),
            ("case:early", "open", None),
            ("case:late", "closed", "done"),
        ]


async def test_a_stale_item_closes_a_refused_one_parks_and_can_be_released(databases: Databases) -> None:
    async def refuse(item: ClaimedTask) -> None:
        raise Stale if item.ordinal == 0 else NotNow

    async with harness(databases) as here:
        await here.tell("case:a", CaseWithdrawn(reason="sold"))
        worker = here.worker(resume=refuse)
        await worker.work_once()
        assert await here.items() == [("closed", "stale"), ("parked", "not_now"), ("parked", "not_now")]
        (first, _) = await parked_items(here.db)
        assert first["parked_at"] is not None
        assert await release_item(here.db, first["id"]) is True
        assert await release_item(here.db, first["id"]) is False
        assert await here.worker().work_once() == 1
        assert sorted(state for state, _ in await here.items()) == ["closed", "closed", "parked"]


async def test_what_is_away_is_tried_for_ever_and_a_fault_of_ours_is_parked_after_some_tries(databases: Databases) -> None:
    async def fail(item: ClaimedTask) -> None:
        raise RetryLater if item.ordinal == 0 else RuntimeError("a secret")

    async with harness(databases) as here:
        await here.tell("case:a", CaseWithdrawn(reason="sold"))
        worker = here.worker(resume=fail)
        connection = await databases.connect("review", "owner")
        for _ in range(ATTEMPTS + 3):
            await worker.work_once()
            await connection.execute("UPDATE agenda SET next_at = '-infinity' WHERE state = 'open'")
        await connection.close()
        assert await here.items() == [("open", "RetryLater"), ("parked", "RuntimeError"), ("parked", "RuntimeError")]
        # What waits for ever is shown: nobody would look for a message that is neither sent nor parked.
        assert [(row["outcome"], row["attempts"]) for row in await trying_items(here.db)] == [("RetryLater", ATTEMPTS + 3)]
        assert (await overview(here.db))["trying"] == 1


async def test_items_of_one_recipient_go_in_order_and_a_parked_one_does_not_block(databases: Databases) -> None:
    async with harness(databases) as here:
        for _ in range(3):
            await here.tell("case:a", IdentityConfirmed())
        seen: list[int] = []

        async def note(item: ClaimedTask) -> None:
            seen.append(item.cause.seq)
            if len(seen) == 1:
                raise NotNow

        worker = here.worker(resume=note)
        assert await worker.work_once() == 1
        assert await worker.work_once() == 1
        assert await worker.work_once() == 1
        assert seen == [1, 2, 3]
        assert [state for state, _ in await here.items()] == ["parked", "closed", "closed"]


async def test_a_worker_claims_nothing_before_its_reader_has_passed_the_head(databases: Databases) -> None:
    async with harness(databases) as here:
        await here.tell("case:a", IdentityConfirmed())
        behind = here.inbox.stores["agenda"].checkpoints
        passed = asyncio.Event()
        asked_for = asyncio.Event()

        async def checkpoints() -> object:
            asked_for.set()
            return await behind() if passed.is_set() else {}

        worker = here.worker()
        worker._checkpoints = checkpoints  # type: ignore[assignment]
        task = asyncio.create_task(worker.run())
        await asyncio.wait_for(asked_for.wait(), 10)
        asked_for.clear()
        await asyncio.wait_for(asked_for.wait(), 10)
        assert await here.items() == [("open", None)]
        assert not worker.state.gate_passed
        passed.set()
        await eventually(lambda: _closed(here))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _closed(here: AgendaHarness) -> bool:
    return await here.items() == [("closed", "done")]


async def test_a_page_is_stale_when_another_person_changed_the_case_and_only_then(databases: Databases) -> None:
    async with harness(databases) as here:
        await here.tell("case:a", IdentityConfirmed())

        async def decide(number: int, seen: int, subject: str) -> None:
            by = Principal("reviewer", subject)
            await here.handler.execute(
                Resume(why=str(number)), by=by, on="case:a", key=f"request-{number}", expected_by_page=seen
            )

        await decide(1, 1, "one")
        await decide(2, 1, "one")
        with pytest.raises(PageIsStale):
            await decide(3, 2, "two")
        assert await here.facts(CaseResumed) == 2
        await decide(3, 3, "two")
        assert await here.facts(CaseResumed) == 3


async def test_facts_read_again_take_away_nothing_that_a_later_fact_made_owed(databases: Databases) -> None:
    async with harness(databases) as here:
        late = NOW + timedelta(days=9000)
        await here.tell("case:a", asked(1, late), by=here.appender)
        await here.tell("case:a", answered(1))
        await here.tell("case:a", asked(1, late), by=here.appender)  # the same key again: the answer before it must not cancel it
        before = await here.items()
        assert before == [("closed", "cancelled"), ("open", None)]
        await here.db.execute("UPDATE checkpoints SET seq = 0, hash = decode(repeat('00', 32), 'hex')")
        await eventually(lambda: here.inbox.caught_up("agenda"))
        assert await here.items() == before

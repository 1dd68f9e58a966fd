"""The pool of a draw is committed once: a reply that was lost is no second chance, whoever may be drawn meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from caselog.outcomes import Appended, AppendRequest, NewFact
from caselog.read import LogReader
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.commands.handler import CommandHandler, CommandResult
from chassis.eventing.commands.ids import agenda_command
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.facts import decode, encode
from schemas.facts.review import Candidate, DrawCommitted
from services.review import commands as c
from services.review.decide import DECIDER, State
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.faults.proxy import LostReplies, Proxy, asks_to_append, postgres_is_ready, proxy
from tests.services import facts as f
from tests.simulation.services import VAULT

CASE = "case:drawn"
Handler = CommandHandler[c.ReviewCommand, State]
WITNESSES = f.committed().witnesses


def commit(*aliases: str) -> c.CommitDraw:
    return c.CommitDraw(pool=tuple(Candidate(alias=each, weight=1) for each in aliases), exclusions=(), witnesses=WITNESSES)


FIRST, LATER = commit("ann", "bob"), commit("carl", "dora", "eve")


@dataclass
class Two:
    """Two processes of review: one behind a wire that can lose replies, and the one that takes over."""

    wire: Proxy
    log: LogReader
    one: Handler
    two: Handler
    item: ClaimedTask

    async def commitments(self) -> list[tuple[RecordedFact, DrawCommitted]]:
        facts = [(each, decode(each.type, each.type_version, each.body)) for each in await self.log.stream(CASE)]
        return [(each, fact) for each, fact in facts if isinstance(fact, DrawCommitted)]

    async def the_first_stands(self, done: CommandResult) -> None:
        (recorded, fact), *others = await self.commitments()
        assert others == []
        assert fact.pool == FIRST.pool
        assert recorded.cause == self.item.cause_name
        assert [(each.position, each.link) for each in done.events] == [(recorded.position, recorded.link)]


@asynccontextmanager
async def two_processes(databases: Databases) -> AsyncIterator[Two]:
    async with (
        proxy(databases.server.port) as wire,
        databases.appender("intake") as intake,
        databases.appender("review", port=wire.port) as near,
        databases.appender("review") as other,
        databases.reader("review_reader") as log,
    ):
        filed: list[Fact] = [f.submitted(), f.CONFIRMED]
        facts = [NewFact(each.TYPE, each.VERSION, encode(each)) for each in filed]
        command = hashlib.sha256(b"filed").digest()
        outcome = await intake.append(AppendRequest(CASE, 0, command, bytes(32), "x:y", None, b"{}", facts))
        assert isinstance(outcome, Appended)
        cause = outcome.events[-1]
        this = agenda_command("review", "commit_draw", cause.link, 0)
        item = ClaimedTask(this, "commit_draw", "", CASE, CASE, cause.position, cause.link, 0, None, None, {}, 1)
        one, two = (
            CommandHandler("review", DECIDER, appender=each, reader=log, vault=VAULT, service_key=bytes(32))
            for each in (near, other)
        )
        container = Two(wire, log, one, two, item)
        target = replace(item, id=hashlib.sha256(b"target").digest(), reaction="set_target")
        await container.one.execute_task(c.SetTarget(), target)  # its connection is made and knows its types
        try:
            yield container
        finally:
            wire.thaw()


async def test_a_process_that_ended_before_it_heard_has_committed_and_another_pool_changes_nothing(databases: Databases) -> None:
    async with two_processes(databases) as two:
        two.wire.down.freeze()
        unheard = asyncio.create_task(two.one.execute_task(FIRST, two.item))

        async def durable() -> bool:
            return len(await two.commitments()) == 1

        await eventually(durable)
        unheard.cancel()
        await asyncio.gather(unheard, return_exceptions=True)
        done = await two.two.execute_task(LATER, two.item)
        assert done.repeated
        await two.the_first_stands(done)


async def test_a_reply_that_is_lost_on_the_wire_is_asked_for_again_and_is_that_of_the_first_commitment(
    databases: Databases,
) -> None:
    async with two_processes(databases) as two:
        two.wire.replies = LostReplies(most=1, to=asks_to_append, whole=postgres_is_ready)
        done = await two.one.execute_task(FIRST, two.item)
        assert two.wire.replies.lost == 1
        assert done.repeated
        await two.the_first_stands(done)


@pytest.mark.parametrize("again", [FIRST, LATER], ids=["the_same_pool", "another_pool"])
async def test_a_process_that_had_read_the_case_before_the_commitment_is_answered_by_the_log(
    databases: Databases, again: c.CommitDraw
) -> None:
    async with two_processes(databases) as two:
        before = await two.log.load(CASE)
        await two.two.execute_task(FIRST, two.item)
        done = await two.one.execute_task(again, two.item, loaded=before)
        assert done.repeated
        await two.the_first_stands(done)

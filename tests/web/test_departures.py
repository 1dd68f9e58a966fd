"""A reviewer who left holds no case: what is drawn for them is drawn anew; real database, real door, real witness."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count, islice

import httpx2
import pytest

from caselog.outcomes import Appended, AppendRequest, NewFact
from caselog.read import LogReader
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.commands.ids import agenda_command
from chassis.exit_codes import OUTDATED, ROWS_DIFFERED
from chassis.refusal import Stale
from chassis.settings import Settings
from deploy.local.postgres import OWNER
from deploy.local.subprocesses import free_port
from schemas.envelope import RecordedFact, shard_of
from schemas.envelope.fact import Fact
from schemas.facts import decode, encode
from schemas.facts.intake import CaseWithdrawn
from schemas.facts.review import AssignmentRefused, DrawCommitted, DrawMade, ReviewerRetired
from services.review.app import SERVICE as REVIEW
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.web.city import PASSWORD, City, can_be_drawn, confirmed, is_in_queue, is_the_pool, opened, pin, queue, sign_in
from tests.witness.test_witness import witness


@dataclass
class Desk:
    """Review's desk with one reviewer who can be drawn, so that each draw is certain."""

    city: City
    settings: Settings
    port: int
    """Where the witness listens when it is up."""

    async def type(self, line: str) -> None:
        code, said = await self.city.type("review", line, PASSWORD, self.settings)
        assert code == 0, said

    async def joins(self, subject: str) -> None:
        """Somebody is employed, and review has read it: the pool of a draw is what it has read by then."""
        await self.type(f"account add {subject} --username {subject} --role reviewer --name {subject}")
        await self.enrolled(subject)

    async def enrolled(self, subject: str) -> None:
        await self.type(f"reviewer enrol {subject} --district 3")
        await eventually(lambda: is_the_pool(self.settings, [subject]))

    async def leaves(self, subject: str) -> None:
        await self.type(f"reviewer retire {subject} --reason left")

    def witness(self) -> object:
        return witness(self.city.databases, self.city.directory / "witness", self.port)


@pytest.fixture
async def desk(city: City) -> AsyncIterator[Desk]:
    made = Desk(city, city.settings_of("review"), free_port())
    (city.directory / "witness").mkdir(exist_ok=True)
    with witness(city.databases, city.directory / "witness", made.port):
        await pin(city, made.port)
    yield made
    for subject in await can_be_drawn(made.settings):
        await made.leaves(subject)


@asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    """Review with its agenda, in one process."""
    async with opened(REVIEW.create_app(desk.settings.model_copy(update={"agenda_apart": ()})), "review") as client:
        yield client


async def facts(databases: Databases, case: str) -> list[tuple[RecordedFact, Fact]]:
    async with databases.reader("review_reader") as log:
        return [(each, decode(each.type, each.type_version, each.body)) for each in await log.stream(f"case:{case}")]


async def has(databases: Databases, case: str, kind: type[Fact], least: int = 1) -> bool:
    return sum(isinstance(fact, kind) for _, fact in await facts(databases, case)) >= least


async def test_every_case_of_a_reviewer_who_leaves_is_drawn_anew_and_none_before(desk: Desk) -> None:
    databases = desk.city.databases
    names = (f"held{number}" for number in count())
    cases = list(islice((name for name in names if shard_of(f"case:{name}") == 7), 4))  # one shard knows a command once
    async with at_work(desk) as client:
        with witness(databases, desk.city.directory / "witness", desk.port):
            await desk.joins("rev-old")
            for case in cases:
                await confirmed(databases, case)
            assert await sign_in(client, "rev-old", PASSWORD) == 303
            for case in cases:
                await eventually(lambda case=case: is_in_queue(client, case))  # type: ignore[misc]
            for case in cases:
                await eventually(lambda case=case: looked_at(desk, case))  # type: ignore[misc]
                assert not await has(databases, case, AssignmentRefused)  # who is there keeps what was drawn
            await desk.leaves("rev-old")
            for case in cases:
                await eventually(lambda case=case: has(databases, case, AssignmentRefused))  # type: ignore[misc]
            await eventually(lambda: is_empty(client))  # nobody can be drawn: the cases wait, and nothing is parked
            await desk.joins("rev-new")
            assert await sign_in(client, "rev-new", PASSWORD) == 303
            for case in cases:
                await eventually(lambda case=case: is_in_queue(client, case))  # type: ignore[misc]
    for case in cases:
        found = [fact for _, fact in await facts(databases, case)]
        assert [fact.reason for fact in found if isinstance(fact, AssignmentRefused)] == ["left"]
        assert [fact.round for fact in found if isinstance(fact, DrawMade)] == [1, 2]


async def is_empty(client: httpx2.AsyncClient) -> bool:
    return await queue(client) == []


async def looked_at(desk: Desk, case: str) -> bool:
    """Whether review has asked itself if who was drawn is still there."""
    async with REVIEW.open_container(desk.settings) as container:
        query = "SELECT state <> 'open' FROM agenda WHERE reaction = 'check_drawn' AND stream = $1"
        return bool(await container.db.fetchval(query, f"case:{case}"))


async def test_who_left_between_the_pool_and_the_draw_is_drawn_and_gives_the_case_back(desk: Desk) -> None:
    databases = desk.city.databases
    async with at_work(desk) as client:
        await desk.joins("rev-gone")
        await confirmed(databases, "between")  # no witness is up: the pool is fixed, and the draw waits
        await eventually(lambda: has(databases, "between", DrawCommitted))
        await desk.leaves("rev-gone")
        await desk.joins("rev-next")
        with witness(databases, desk.city.directory / "witness", desk.port):
            await eventually(lambda: has(databases, "between", AssignmentRefused), 15)
            assert await sign_in(client, "rev-next", PASSWORD) == 303
            await eventually(lambda: is_in_queue(client, "between"))


async def test_who_came_back_keeps_their_cases_and_what_has_ended_stays_as_it_is(desk: Desk) -> None:
    databases = desk.city.databases
    async with at_work(desk) as client:
        with witness(databases, desk.city.directory / "witness", desk.port):
            await desk.joins("rev-back")
            for case in ("mine", "ended"):
                await confirmed(databases, case)
            assert await sign_in(client, "rev-back", PASSWORD) == 303
            for case in ("mine", "ended"):
                await eventually(lambda case=case: is_in_queue(client, case))  # type: ignore[misc]
    # The agenda is away: what it owes is carried out here, late.
    await withdrawn(databases, "ended")
    await desk.leaves("rev-back")
    async with REVIEW.open_container(desk.settings) as container:
        with pytest.raises(Stale):
            await REVIEW.task_handlers(REVIEW.deps(container))["check_drawn"](await item(container.log, "case:ended", DrawMade))
        left = await item(container.log, "staff:rev-back", ReviewerRetired)
        with pytest.raises(TimeoutError):  # what review's rows have not read yet may be a case of theirs
            async with asyncio.timeout(0.5):
                await REVIEW.task_handlers(REVIEW.deps(container))["take_back"](left)
        await desk.type("reviewer enrol rev-back --district 3")
        for late in (left, await item(container.log, "case:mine", DrawMade)):
            with pytest.raises(Stale):
                async with asyncio.timeout(5):
                    await REVIEW.task_handlers(REVIEW.deps(container))[late.reaction](late)
    for case in ("mine", "ended"):
        assert not await has(databases, case, AssignmentRefused)


async def test_a_case_that_could_not_be_applied_is_looked_for_again_when_it_is_released(desk: Desk) -> None:
    key = ("cases", 1, "case:parked")
    async with at_work(desk):
        owner = await desk.city.databases.connect("review", OWNER)
        await owner.execute("INSERT INTO parked_streams VALUES ($1, $2, $3, $4, 1, 'planted')", *key, shard_of("case:parked"))
        await desk.joins("rev-away")
        await desk.leaves("rev-away")

        async def taken_back(state: str, outcome: str) -> bool:
            query = "SELECT (state, outcome) = ($1, $2) FROM agenda WHERE reaction = 'take_back' AND stream = 'staff:rev-away'"
            return bool(await owner.fetchval(query, state, outcome))

        await eventually(lambda: taken_back("open", "RetryLater"))
        assert not await taken_back("closed", "done")
        await owner.execute("DELETE FROM parked_streams WHERE reader = $1 AND version = $2 AND stream = $3", *key)
        await eventually(lambda: taken_back("closed", "done"))
        await owner.close()


async def withdrawn(databases: Databases, case: str) -> None:
    async with databases.appender("intake") as appender:
        fact = CaseWithdrawn(reason="sold")
        new = [NewFact(fact.TYPE, fact.VERSION, encode(fact))]
        done = await appender.append(
            AppendRequest(f"case:{case}", None, case.encode().ljust(32), bytes(32), "x:y", None, b"{}", new)
        )
        assert isinstance(done, Appended)


async def item(log: LogReader, stream: str, kind: type[Fact]) -> ClaimedTask:
    """What the last fact of a kind made owed."""
    cause = [each for each in await log.stream(stream) if each.type == kind.TYPE][-1]
    reaction = "take_back" if kind is ReviewerRetired else "check_drawn"
    this = agenda_command("review", reaction, cause.link, 0)
    return ClaimedTask(this, reaction, "", stream, stream, cause.position, cause.link, 0, None, None, {}, 1)


async def test_a_desk_whose_rows_another_version_left_says_what_to_run_and_does_not_start(city: City) -> None:
    settings = city.settings_of("review")
    async with opened(REVIEW.create_app(settings), "review"):
        pass  # its checkpoints are there
    owner = await city.databases.connect("review", OWNER)
    await owner.execute("UPDATE checkpoints SET version = version - 1 WHERE reader = 'agenda'")
    environment = city.environment("review") | {"PARVANDEH_OWNER_PASSWORD": city.databases.server.owner_password}

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "services.review", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    code, said = await asyncio.to_thread(run, "serve")
    assert (code, "`python -m services.review rebuild agenda`" in said) == (OUTDATED, True), said
    code, said = await asyncio.to_thread(run, "rebuild", "agenda")
    assert code in (0, ROWS_DIFFERED), said
    async with opened(REVIEW.create_app(settings), "review") as client:
        assert (await client.get("/sign-in")).status_code == 200
    await owner.close()

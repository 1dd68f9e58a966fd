"""What inquiry's desk asks of its own rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from caselog.db.migrate import migrate
from caselog.read import LogReader
from chassis.eventing.projections.paging import Page
from chassis.runtime.container import INBOX
from deploy.local.postgres import OWNER
from services.inquiry.read import PAGE, Inquiries
from tests.conftest import ROOT
from tests.databases import Databases

ONE_MOMENT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


INSERT = (
    "INSERT INTO inquiries (stream, inquiry_id, agency, question, blocking, request_type, district, opened_at, due_at, state,"
    " answer, answered_at, version) VALUES ($1, $2, $3, 'fire_safety', true, 'site_visit', 1, $4, $4, $5, $6, $7, 1)"
)
ROWS = [(f"case:{number // 2:04}", f"q{number}", "fire" if number % 3 else "heritage") for number in range(360)]


@asynccontextmanager
async def desk(databases: Databases, state: str) -> AsyncIterator[tuple[Inquiries, asyncpg.Connection]]:
    """An inquiry database whose questions are all in one state and of one moment; the owner beside it."""
    owner = await databases.connect("inquiry", OWNER)
    try:
        await migrate(owner, "inbox", INBOX)
        await migrate(owner, "inquiry", ROOT / "services/inquiry/migrations")
        answer = ("no_objection", ONE_MOMENT) if state == "answered" else (None, None)
        await owner.executemany(INSERT, [(*row, ONE_MOMENT, state, *answer) for row in ROWS])
        async with asyncpg.create_pool(**databases.where("inquiry", "inquiry"), min_size=1, max_size=1) as db:
            yield Inquiries(db, LogReader(db)), owner
    finally:
        await owner.close()


async def whole(turn: Callable[[str], Awaitable[Page]]) -> list[tuple[str, str]]:
    """All questions of a list, page by page; every page but the last is full, and only the last leads nowhere."""
    page = await turn("")
    seen = [(row["stream"], row["inquiry_id"]) for row in page.rows]
    while page.next:
        assert len(page.rows) == PAGE
        page = await turn(page.next)
        assert page.rows, "a page that leads on leads to something"
        seen += [(row["stream"], row["inquiry_id"]) for row in page.rows]
    return seen


async def test_an_agency_pages_through_all_its_answers_also_when_many_are_of_one_moment(databases: Databases) -> None:
    async with desk(databases, "answered") as (inquiries, owner):
        await owner.execute("UPDATE inquiries SET state = 'open' WHERE inquiry_id = 'q1'")
        seen = await whole(lambda before: inquiries.answered("fire", before))
        mine = [(stream, question) for stream, question, agency in ROWS if agency == "fire" and question != "q1"]
        assert sorted(seen) == sorted(mine)
        fire = (await inquiries.answered("fire")).next
        assert (await inquiries.answered("heritage", fire)).rows == [], "the end of another agency's page leads nowhere"


async def test_an_agency_pages_through_all_that_waits_the_most_urgent_first_also_when_much_is_due_at_one_moment(
    databases: Databases,
) -> None:
    async with desk(databases, "open") as (inquiries, owner):
        await owner.execute("UPDATE inquiries SET due_at = due_at - interval '1 hour' WHERE inquiry_id = 'q358'")
        await owner.execute("UPDATE inquiries SET due_at = due_at + interval '1 hour' WHERE inquiry_id = 'q2'")
        await owner.execute("UPDATE inquiries SET state = 'answered', answered_at = due_at WHERE inquiry_id = 'q4'")
        urgent, late = ("case:0179", "q358"), ("case:0001", "q2")
        mine = {(stream, question) for stream, question, agency in ROWS if agency == "fire" and question != "q4"}
        seen = await whole(lambda after: inquiries.waiting("fire", after))
        assert seen == [urgent, *sorted(mine - {urgent, late}), late]
        assert await inquiries.count_waiting("fire") == len(mine)
        assert await inquiries.count_waiting("nobody") == 0


async def test_the_question_that_ended_a_page_leads_on_also_when_it_was_answered_meanwhile(databases: Databases) -> None:
    async with desk(databases, "open") as (inquiries, owner):
        end = (await inquiries.waiting("fire")).next
        expected = [row["inquiry_id"] for row in (await inquiries.waiting("fire", end)).rows]
        await owner.execute("UPDATE inquiries SET state = 'answered' WHERE inquiry_id = $1", end.partition("/")[2])
        assert [row["inquiry_id"] for row in (await inquiries.waiting("fire", end)).rows] == expected
        assert len(expected) == PAGE


async def test_what_names_no_question_of_the_agency_leads_nowhere(databases: Databases) -> None:
    async with desk(databases, "open") as (inquiries, owner):
        *_, (stream, question) = await whole(lambda after: inquiries.waiting("fire", after))
        end, foreign = f"{stream.removeprefix('case:')}/{question}", (await inquiries.waiting("heritage")).next
        await owner.execute("UPDATE inquiries SET state = 'asked', due_at = NULL WHERE inquiry_id = 'q1'")
        for after in (end, foreign, "nowhere", "nowhere/x", "/", "0000/q1", "' OR 1=1"):
            page = await inquiries.waiting("fire", after)
            assert (list(page.rows), page.next) == ([], ""), after


async def test_a_full_last_page_promises_no_other(databases: Databases) -> None:
    async with desk(databases, "open") as (inquiries, owner):
        await owner.execute("DELETE FROM inquiries WHERE agency = 'heritage'")
        rows = await owner.fetch("SELECT stream, inquiry_id FROM inquiries ORDER BY stream, inquiry_id OFFSET $1", PAGE)
        await owner.executemany("DELETE FROM inquiries WHERE stream = $1 AND inquiry_id = $2", [tuple(row) for row in rows])
        page = await inquiries.waiting("fire")
        assert (len(page.rows), page.next) == (PAGE, "")

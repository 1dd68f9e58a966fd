"""What intake's pages ask of its own rows."""

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
from services.intake.read import PAGE, Cases
from tests.conftest import ROOT
from tests.databases import Databases

ONE_MOMENT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
FILINGS = [(f"case:{number:04}", f"PK-{number}", f"of-{'one' if number % 3 else 'two'}") for number in range(360)]
"""Stream, tracking code, and whose it is: of an office and of a citizen of that name."""


@asynccontextmanager
async def filed(databases: Databases) -> AsyncIterator[tuple[Cases, asyncpg.Connection]]:
    """The cases of two who filed everything in one moment."""
    owner = await databases.connect("intake", OWNER)
    try:
        await migrate(owner, "inbox", INBOX)
        await migrate(owner, "intake", ROOT / "services/intake/migrations")
        await owner.executemany(
            "INSERT INTO cases (stream, tracking_code, request_type, district, channel, office, subject, out_of_hours,"
            " submitted_at, changed_at, version) VALUES ($1, $2, 'site_visit', 1, 'office', $3, $3, false, $4, $4, 1)",
            [(*filing, ONE_MOMENT) for filing in FILINGS],
        )
        async with asyncpg.create_pool(**databases.where("intake", "intake"), min_size=1, max_size=1) as db:
            yield Cases(db, LogReader(db)), owner
    finally:
        await owner.close()


async def whole(turn: Callable[[str, str], Awaitable[Page]], whose: str) -> list[str]:
    """All cases of a list, page by page; every page but the last is full, and only the last leads nowhere."""
    page = await turn(whose, "")
    seen = [row["stream"] for row in page.rows]
    while page.next:
        assert len(page.rows) == PAGE
        page = await turn(whose, page.next)
        assert page.rows, "a page that leads on leads to something"
        seen += [row["stream"] for row in page.rows]
    return seen


async def test_who_filed_pages_through_all_of_it_also_when_much_is_of_one_moment(databases: Databases) -> None:
    async with filed(databases) as (cases, owner):
        await owner.execute("UPDATE cases SET submitted_at = submitted_at + interval '1 hour' WHERE stream = 'case:0001'")
        mine = sorted((stream for stream, _, whose in FILINGS if whose == "of-one"), reverse=True)
        mine.remove("case:0001")
        for turn in (cases.of_office, cases.mine):
            assert await whole(turn, "of-one") == ["case:0001", *mine]
            others = (await turn("of-two", "")).next
            for before in (others, "nowhere", "' OR 1=1"):
                page = await turn("of-one", before)
                assert (list(page.rows), page.next) == ([], ""), "what is not one's own leads nowhere"


async def test_a_full_last_page_promises_no_other(databases: Databases) -> None:
    async with filed(databases) as (cases, owner):
        await owner.execute("DELETE FROM cases WHERE office = 'of-two'")
        await owner.execute("DELETE FROM cases WHERE stream IN (SELECT stream FROM cases ORDER BY stream OFFSET $1)", PAGE)
        for turn in (cases.of_office, cases.mine):
            page = await turn("of-one", "")
            assert (len(page.rows), page.next) == (PAGE, "")

"""What inquiry's desk asks of its own rows."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg

from caselog.migrations import migrate
from caselog.read import LogReader
from chassis.standing import INBOX
from deploy.local.postgres import OWNER
from services.inquiry.read import PAGE, Inquiries, place
from services.inquiry.settings import ROOM
from tests.databases import Databases

ONE_MOMENT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


async def test_an_agency_pages_through_all_its_answers_also_when_many_are_of_one_moment(databases: Databases) -> None:
    owner = await databases.connect("inquiry", OWNER)
    try:
        await migrate(owner, "inbox", INBOX)
        await migrate(owner, "inquiry", ROOM / "migrations")
        rows = [(f"case:{number // 2:04}", f"q{number}", "fire" if number % 3 else "heritage") for number in range(360)]
        await owner.executemany(
            "INSERT INTO inquiries (stream, inquiry_id, agency, question, blocking, request_type, district, opened_at, due_at,"
            " state, answer, answered_at, version) VALUES"
            " ($1, $2, $3, 'fire_safety', true, 'site_visit', 1, $4, $4, 'answered', 'no_objection', $4, 1)",
            [(*row, ONE_MOMENT) for row in rows],
        )
        await owner.execute("UPDATE inquiries SET state = 'open' WHERE inquiry_id = 'q1'")
    finally:
        await owner.close()
    async with asyncpg.create_pool(**databases.where("inquiry", "inquiry"), min_size=1, max_size=1) as own:
        inquiries, seen, before = Inquiries(own, LogReader(own)), [], ""
        while found := await inquiries.answered("fire", before):
            assert len(found) <= PAGE
            seen += [(row["stream"], row["inquiry_id"]) for row in found]
            before = place(found[-1])
        mine = [(stream, question) for stream, question, agency in rows if agency == "fire" and question != "q1"]
        assert sorted(seen) == sorted(mine)
        assert await inquiries.answered("heritage", before) == [], "the end of another agency's page leads nowhere"

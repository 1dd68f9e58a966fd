"""What intake's pages ask of its own rows."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg

from caselog.migrations import migrate
from caselog.read import LogReader
from chassis.standing import INBOX
from deploy.local.postgres import OWNER
from services.intake.read import PAGE, Cases
from services.intake.settings import ROOM
from tests.databases import Databases

ONE_MOMENT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


async def test_an_office_pages_through_all_its_filings_also_when_many_are_of_one_moment(databases: Databases) -> None:
    owner = await databases.connect("intake", OWNER)
    try:
        await migrate(owner, "inbox", INBOX)
        await migrate(owner, "intake", ROOM / "migrations")
        filings = [(f"case:{number:04}", f"PK-{number}", "office-1" if number % 3 else "office-2") for number in range(360)]
        await owner.executemany(
            "INSERT INTO cases (stream, tracking_code, request_type, district, channel, office, out_of_hours, submitted_at,"
            " changed_at, version) VALUES ($1, $2, 'site_visit', 1, 'office', $3, false, $4, $4, 1)",
            [(*filing, ONE_MOMENT) for filing in filings],
        )
    finally:
        await owner.close()
    async with asyncpg.create_pool(**databases.where("intake", "intake"), min_size=1, max_size=1) as own:
        cases, seen, before = Cases(own, LogReader(own)), [], ""
        while rows := await cases.of_office("office-1", before):
            assert len(rows) <= PAGE
            seen += [row["stream"] for row in rows]
            before = rows[-1]["stream"].removeprefix("case:")
        assert sorted(seen) == [stream for stream, _, office in filings if office == "office-1"]
        assert await cases.of_office("office-2", before) == [], "the end of another office's page leads nowhere"

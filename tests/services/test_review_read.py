"""What My queue and the supervisor's lists ask of review's own rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from caselog.db.migrate import migrate
from caselog.read import LogReader
from chassis.eventing.projections.paging import Page
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from chassis.runtime.container import INBOX
from deploy.local.postgres import OWNER
from services.review.decide import State
from services.review.read import AT_A_TIME, PAGE, Cases
from tests.conftest import ROOT
from tests.databases import Databases

ONE_MOMENT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
STREAMS = [f"case:{number:04}" for number in range(PAGE * 2 + 5)]
VERSIONS = (4, 12, 30)
"""Of the escalations of a case: a page ends between two of one case."""
Turn = Callable[[str], Awaitable[Page]]
KEYS = VaultKeys(Path("none"), {"alias": bytes(32)})
"""Only aliases are asked of it."""


@asynccontextmanager
async def desk(databases: Databases) -> AsyncIterator[tuple[Cases, asyncpg.Connection]]:
    """Cases of one moment, all undrawn, suspended and escalated three times; the first two ended; the owner beside."""
    owner = await databases.connect("review", OWNER)
    try:
        await migrate(owner, "inbox", INBOX)
        await migrate(owner, "review", ROOT / "services/review/migrations")
        await owner.executemany(
            "INSERT INTO cases (stream, request_type, district, submitted_at, confirmed, suspended, ended, version)"
            " VALUES ($1, 'site_visit', 1, $2, true, true, $3, 9)",
            [(stream, ONE_MOMENT, "approved" if stream in STREAMS[:2] else None) for stream in STREAMS],
        )
        await owner.executemany(
            "INSERT INTO escalations (stream, version, kind, due_at, noted_at) VALUES ($1, $2, 'target.passed', $3, $3)",
            [(stream, version, ONE_MOMENT) for stream in STREAMS for version in VERSIONS],
        )
        async with asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=1) as db:
            yield Cases(db, LogReader(db), Vault(db, KEYS)), owner
    finally:
        await owner.close()


async def whole(turn: Turn) -> list[tuple[object, ...]]:
    """All rows of a list, page by page, by stream and version; every page but the last is full."""
    page = await turn("")
    seen = list(map(named, page.rows))
    while page.next:
        assert len(page.rows) == PAGE
        page = await turn(page.next)
        assert page.rows, "a page that leads on leads to something"
        seen += map(named, page.rows)
    return seen


def named(row: asyncpg.Record) -> tuple[object, ...]:
    return (row["stream"], row["version"]) if "version" in row else (row["stream"],)


def lists(cases: Cases) -> Sequence[Turn]:
    return cases.escalations, cases.undrawn, cases.suspended


async def test_a_supervisor_reaches_the_whole_of_each_list_in_its_order_also_when_many_are_of_one_moment(
    databases: Databases,
) -> None:
    async with desk(databases) as (cases, owner):
        await owner.execute("UPDATE cases SET submitted_at = submitted_at - $1::interval WHERE stream = $2", HOUR, STREAMS[9])
        await owner.execute("UPDATE escalations SET noted_at = noted_at + $1::interval WHERE stream = $2", HOUR, STREAMS[9])
        oldest, rest = STREAMS[9], [each for each in STREAMS[2:] if each != STREAMS[9]]
        for turn in (cases.undrawn, cases.suspended):
            assert await whole(turn) == [(oldest,), *((each,) for each in rest)]
        newest_first = [(each, version) for each in (oldest, *rest) for version in VERSIONS]
        assert await whole(cases.escalations) == newest_first
        counts = await cases.supervised()
        assert dict(counts) == {"escalations": len(newest_first), "undrawn": 1 + len(rest), "suspended": 1 + len(rest)}


async def test_the_row_that_ended_a_page_leads_on_also_when_its_case_moved_on_meanwhile(databases: Databases) -> None:
    async with desk(databases) as (cases, owner):
        for turn in lists(cases):
            end = (await turn("")).next
            expected = list(map(named, (await turn(end)).rows))
            stream = f"case:{end.partition('/')[0]}"
            await owner.execute("UPDATE cases SET ended = 'withdrawn', drawn = 'x', suspended = false WHERE stream = $1", stream)
            left = [each for each in expected if each[0] != stream]
            assert list(map(named, (await turn(end)).rows))[: len(left)] == left
            assert len(left) >= PAGE - 1


async def test_what_names_no_row_leads_nowhere_and_so_does_the_end(databases: Databases) -> None:
    async with desk(databases) as (cases, _):
        for turn, end in zip(lists(cases), ("0044/30", "0044", "0044"), strict=True):
            for after in (end, "nowhere", "nowhere/1", "0004/99999999999999", "0004/x", "/", "' OR 1=1"):
                page = await turn(after)
                assert (list(page.rows), page.next) == ([], ""), after


@pytest.mark.parametrize("list_", ["escalations", "undrawn", "suspended"])
async def test_review_reads_of_a_case_no_more_than_its_list_shows(databases: Databases, list_: str) -> None:
    async with desk(databases) as (cases, _):
        page: Page = await getattr(cases, list_)()
        shown = {"stream", "request_type", "district"}
        more = {"escalations": {"version", "kind", "due_at"}, "undrawn": {"committed"}, "suspended": set()}
        assert set(page.rows[0].keys()) == shown | more[list_]


async def test_a_queue_holds_what_is_drawn_for_its_reviewer_the_most_urgent_first_among_however_many(
    databases: Databases,
) -> None:
    async with desk(databases) as (cases, owner):
        streams = [f"case:drawn{number:04}" for number in range(2 * AT_A_TIME + 7)]
        state = State(request_type="site_visit", round=2)
        rows = [
            (
                each,
                cases.alias_in(f"rev-{number % 9}", each, state),
                ONE_MOMENT,
                None if number == 3 else ONE_MOMENT - number * HOUR,
            )
            for number, each in enumerate(streams)
        ]
        await owner.executemany(
            "INSERT INTO cases (stream, request_type, district, submitted_at, confirmed, stage, round, drawn, drawn_at, due_at,"
            " version) VALUES ($1, 'site_visit', 1, $3, true, $5, 2, $2, $3, $4, 9)",
            [(*row, state.stage) for row in rows],
        )
        await owner.execute("UPDATE cases SET ended = 'approved' WHERE stream = $1", streams[12])
        await owner.execute("UPDATE cases SET round = 3 WHERE stream = $1", streams[21])
        mine = [each for number, each in enumerate(streams) if number % 9 == 3 and number not in (3, 12, 21)]
        assert [row["stream"] for row in await cases.queue("rev-3")] == [*reversed(mine), streams[3]]
        assert await cases.queue("nobody") == []

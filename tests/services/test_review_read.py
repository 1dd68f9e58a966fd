"""What the supervisor's lists ask of review's own rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from caselog.migrations import migrate
from caselog.read import LogReader
from chassis.paging import Page
from chassis.standing import INBOX
from chassis.vault.keys import VaultKeys
from chassis.vault.vault import Vault
from deploy.local.postgres import OWNER
from services.review.read import PAGE, Cases
from services.review.settings import ROOM
from tests.databases import Databases

ONE_MOMENT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
STREAMS = [f"case:{number:04}" for number in range(PAGE * 2 + 5)]
Turn = Callable[[str], Awaitable[Page]]


@asynccontextmanager
async def desk(databases: Databases) -> AsyncIterator[tuple[Cases, asyncpg.Connection]]:
    """Cases of one moment, all undrawn, suspended and twice escalated; the first two ended; the owner beside."""
    owner = await databases.connect("review", OWNER)
    try:
        await migrate(owner, "inbox", INBOX)
        await migrate(owner, "review", ROOM / "migrations")
        await owner.executemany(
            "INSERT INTO cases (stream, request_type, district, submitted_at, confirmed, suspended, ended, version)"
            " VALUES ($1, 'site_visit', 1, $2, true, true, $3, 9)",
            [(stream, ONE_MOMENT, "approved" if stream in STREAMS[:2] else None) for stream in STREAMS],
        )
        await owner.executemany(
            "INSERT INTO escalations (stream, version, kind, due_at, noted_at) VALUES ($1, $2, 'target.passed', $3, $3)",
            [(stream, version, ONE_MOMENT) for stream in STREAMS for version in (4, 12)],
        )
        async with asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=1) as own:
            yield Cases(own, LogReader(own), Vault(own, VaultKeys(Path("no key is asked for")))), owner
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
        hour = timedelta(hours=1)
        await owner.execute("UPDATE cases SET submitted_at = submitted_at - $1::interval WHERE stream = $2", hour, STREAMS[9])
        await owner.execute("UPDATE escalations SET noted_at = noted_at + $1::interval WHERE stream = $2", hour, STREAMS[9])
        oldest, rest = STREAMS[9], [each for each in STREAMS[2:] if each != STREAMS[9]]
        for turn in (cases.undrawn, cases.suspended):
            assert await whole(turn) == [(oldest,), *((each,) for each in rest)]
        newest_first = [(each, version) for each in (oldest, *rest) for version in (4, 12)]
        assert await whole(cases.escalations) == newest_first
        counts = await cases.supervised()
        assert dict(counts) == {"escalations": len(newest_first), "undrawn": 1 + len(rest), "suspended": 1 + len(rest)}


async def test_the_row_that_ended_a_page_leads_on_also_when_its_case_moved_on_meanwhile(databases: Databases) -> None:
    async with desk(databases) as (cases, owner):
        for turn in lists(cases):
            end = (await turn("")).next
            expected = list(map(named, (await turn(end)).rows))
            await owner.execute(
                "UPDATE cases SET ended = 'withdrawn', drawn = 'x', suspended = false WHERE stream = $1",
                f"case:{end.partition('/')[0]}",
            )
            assert list(map(named, (await turn(end)).rows)) == expected
            assert len(expected) == PAGE


async def test_what_names_no_row_leads_nowhere_and_so_does_the_end(databases: Databases) -> None:
    async with desk(databases) as (cases, _):
        for turn, end in zip(lists(cases), ("0044/12", "0044", "0044"), strict=True):
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

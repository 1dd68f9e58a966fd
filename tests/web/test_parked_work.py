"""Parked work as its readers see it, on a page and at a terminal: in words, since when, of which case; real rows, real doors."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from typing import Literal

import asyncpg
import httpx2
import pytest

from chassis.web.i18n import OWN_LOCALE, Translations
from schemas.catalogue import catalogue
from schemas.facts.intake import CaseSubmitted
from services.notify.app import SERVICE as NOTIFY
from services.review import refusals
from services.review.app import SERVICE as REVIEW
from tests.conftest import ROOT
from tests.eventing.harness import eventually
from tests.faults.test_reread import sample
from tests.web.city import PASSWORD, PROCESSES, City, confirmed, opened, sign_in

PARK = "UPDATE agenda SET state = 'parked', outcome = $2, parked_at = '2026-11-24 08:00+00' WHERE reaction = $1 AND stream = $3"


async def said(client: httpx2.AsyncClient, path: str, language: str, heading: str) -> list[str]:
    """The rows of the table under a heading, as a person reads them."""
    page = html.unescape((await client.get(path, headers={"Accept-Language": language})).text)
    part = page.partition(f"<h2>{heading}</h2>")[2].partition("<h2>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>.*?</tr>", part, re.S)[1:]]


async def staff(city: City, service: str, role: str) -> None:
    line = f"account add w-{role} --username {role} --role {role} --name X"
    assert (await city.type(service, line, PASSWORD))[0] == 0


async def owner(city: City, service: str) -> asyncpg.Connection:
    return await city.databases.connect(service, "owner")


@pytest.mark.parametrize("language", ["fa", "en"])
async def test_a_supervisor_reads_what_is_parked_of_which_case_since_when_and_why(
    city: City, language: Literal["fa", "en"]
) -> None:
    await staff(city, "review", "supervisor")
    case = f"parked{language}"
    await confirmed(city.databases, case)
    filed = CaseSubmitted.model_validate_json(sample(CaseSubmitted).body)
    kind = catalogue().types[filed.request_type].label(language)
    words = Translations([OWN_LOCALE, ROOT / "services" / "review" / "locale"])
    async with opened(REVIEW.create_app(city.settings_of("review")), "review") as client:
        assert await sign_in(client, "supervisor", PASSWORD) == 303
        db = await owner(city, "review")

        async def is_owed() -> bool:
            return bool(await db.fetchval("SELECT 1 FROM agenda WHERE stream = $1 AND reaction = 'commit_draw'", f"case:{case}"))

        await eventually(is_owed)
        await db.execute(PARK, "commit_draw", "identity_open", f"case:{case}")
        await db.execute(PARK, "set_target", "ZeroDivisionError", f"case:{case}")
        await db.execute(
            "INSERT INTO parked_streams (reader, version, stream, shard, from_version, reason)"
            " VALUES ('cases', 1, $1, 0, 3, 'case.split/1')",
            f"case:{case}",
        )
        rows = await said(client, "/supervision", language, words.text(language, "Parked work"))
        streams = await said(client, "/supervision", language, words.text(language, "Parked streams"))
        await db.execute("DELETE FROM parked_streams")
        await db.execute("UPDATE agenda SET state = 'closed' WHERE state = 'parked'")
        await db.close()
    day = "سه‌شنبه ۳ آذر ۱۴۰۵" if language == "fa" else "24 November 2026"
    why = words.text("fa", "refusal.identity_open") if language == "fa" else refusals.IdentityOpen.default_text()
    draw, target = sorted(rows, key=lambda row: "commit_draw" not in row)
    for row, name, reason, code in (
        (draw, "commit_draw", why, "identity_open"),
        (target, "set_target", words.text(language, UNFORESEEN), "ZeroDivisionError"),
    ):
        for part in (words.text(language, f"reaction.{name}"), name, kind, case, reason, code, day):
            assert part in row, (part, row)
    (stream,) = streams
    for part in (words.text(language, "reader.cases"), kind, f"case:{case}", "case.split/1"):
        assert part in stream, (part, stream)
    assert words.text(language, "A fact has a type or version that is unknown here.") in stream
    assert ("از رویداد ۳ به بعد" if language == "fa" else "from fact 3 on") in stream


UNFORESEEN = "An unexpected fault. Engineers can find it by its code in the log of the process."


async def test_whose_cases_are_to_be_taken_back_is_not_said_to_the_supervisor(city: City) -> None:
    db = await owner(city, "review")
    await db.execute(
        "INSERT INTO agenda (id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, details,"
        " state, outcome)"
        " VALUES (decode(repeat('ab', 32), 'hex'), 'take_back', '', 'staff:zahra', 'staff:zahra', 0, 1, '', 0, '{}',"
        " 'parked', 'busy')"
    )
    async with opened(REVIEW.create_app(city.settings_of("review")), "review") as client:
        await staff(city, "review", "supervisor")
        assert await sign_in(client, "supervisor", PASSWORD) == 303
        (row,) = await said(client, "/supervision", "fa", "کارهای مانده")
    await db.execute("DELETE FROM agenda WHERE stream = 'staff:zahra'")
    await db.close()
    assert "پس گرفتن پرونده‌های بررسی‌کننده‌ای که رفته است" in row
    assert "عضویت یک بررسی‌کننده" in row
    assert "zahra" not in row
    assert "–" in row, "an item that was parked before this was noted has no day"


async def test_the_operator_reads_which_message_waits_by_which_way_and_no_case(city: City) -> None:
    await staff(city, "notify", "operator")
    await confirmed(city.databases, "untold")
    async with opened(NOTIFY.create_app(city.settings_of("notify")), "notify") as client:
        assert await sign_in(client, "operator", PASSWORD) == 303
        db = await owner(city, "notify")

        async def is_owed() -> bool:
            query = "SELECT count(*) FROM agenda WHERE stream = 'case:untold' AND details->>'template' = 'filed'"
            return int(await db.fetchval(query)) == 3

        await eventually(is_owed)
        await db.execute(PARK, "send_sms", "no_such_case", "case:untold")
        await db.execute(
            "UPDATE agenda SET attempts = 5, outcome = 'ChannelAway', next_at = '2026-11-26 08:00+00'"
            " WHERE reaction = 'send_email' AND stream = 'case:untold'"
        )
        item = await db.fetchval("SELECT id FROM agenda WHERE reaction = 'send_sms' AND stream = 'case:untold'")
        (parked,) = await said(client, "/", "fa", "کارهای مانده")
        (trying,) = await said(client, "/", "fa", "بارها دوباره آزموده")
        english = await said(client, "/", "en", "Parked work")
        page = (await client.get("/")).text
        await db.close()
    for part in ("درخواست شما ثبت شد.", "پیامک", "چنین پرونده‌ای نیست.", "no_such_case", "سه‌شنبه ۳ آذر ۱۴۰۵", item.hex()[:12]):
        assert part in parked, (part, parked)
    for part in ("ایمیل", "راه ارسال", "ChannelAway", "پنجشنبه ۵ آذر ۱۴۰۵"):
        assert part in trying, (part, trying)
    for part in ("The request was filed.", "Text message", "There is no such case.", "24 November 2026"):
        assert part in english[0], (part, english)
    assert "untold" not in page


def typed(city: City, service: str, *words: str) -> tuple[int, str]:
    """The exit code of a command of the service as its own process, and what it said."""
    command = [sys.executable, "-m", f"services.{service}", *words]
    done = subprocess.run(command, cwd=ROOT, env=city.environment(service), check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


async def test_the_terminal_says_what_is_parked_in_words_and_the_last_line_is_what_releases_it(city: City) -> None:
    case, item = "case:terminal", "cd" * 32
    await confirmed(city.databases, "terminal")
    db = await owner(city, "review")
    assert typed(city, "review", "parked") == (0, "review nothing is parked\n")
    await db.execute(
        "INSERT INTO agenda (id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, details,"
        " state, outcome, parked_at)"
        " VALUES (decode($1, 'hex'), 'commit_draw', '', $2, $2, 0, 1, '', 0, '{}', 'parked', 'identity_open',"
        " '2026-11-24 08:00+00'), (decode(repeat('ef', 32), 'hex'), 'of_last_year', '', $2, $2, 0, 2, '', 0, '{}',"
        " 'parked', 'ZeroDivisionError', NULL)",
        item,
        case,
    )
    await db.execute(
        "INSERT INTO parked_streams (reader, version, stream, shard, from_version, reason, parked_at)"
        " VALUES ('cases', 1, $1, 0, 2, 'case.split/1', '2026-11-24 08:00+00')",
        case,
    )
    code, said = typed(city, "review", "parked")
    assert (code, said.splitlines()) == (
        1,
        [
            f"review The lists of cases: {case} from fact 2 on, parked since 24 November 2026, 11:30",
            "    A fact has a type or version that is unknown here. (case.split/1)",
            f"    release cases {case}",
            f"review Fix the pool of the draw (commit_draw): {case}, parked since 24 November 2026, 11:30",
            f"    {refusals.IdentityOpen.default_text()} (identity_open)",
            f"    release agenda {item}",
            f"review Work from another version (of_last_year): {case}",
            f"    {UNFORESEEN} (ZeroDivisionError)",
            f"    release agenda {'ef' * 32}",
        ],
    )
    await db.execute("DELETE FROM parked_streams")  # review has read nothing yet here; a stream is released in test_8_watching
    for line in said.splitlines()[5::3]:
        assert typed(city, "review", *line.split()) == (0, "released\n"), line
    assert typed(city, "review", "parked") == (0, "review nothing is parked\n")
    await db.execute("DELETE FROM agenda WHERE stream = $1", case)
    await db.close()


@pytest.mark.parametrize(
    ("service", "reader", "name"),
    [
        ("intake", "cases", "The lists of cases"),
        ("inquiry", "inquiries", "The lists of inquiries"),
        ("notify", "messages", "The list of messages"),
        ("notify", "agenda", "The task list"),
        ("audit", "cases", "The case search"),
    ],
)
async def test_every_service_says_at_the_terminal_which_of_its_lists_a_case_is_missing_in(
    city: City, service: str, reader: str, name: str
) -> None:
    async with PROCESSES[service].open_container(city.settings_of(service)) as container:
        version = container.inbox.stores[reader].processor.version
    db = await owner(city, service)
    await db.execute(
        "INSERT INTO parked_streams (reader, version, stream, shard, from_version, reason)"
        " VALUES ($1, $2, 'case:lost', 0, 1, 'case.submitted/2: ValidationError')",
        reader,
        version,
    )
    code, said = typed(city, service, "parked")
    await db.execute("DELETE FROM parked_streams")
    await db.close()
    first, why, released = said.splitlines()[:3]  # behind it, what another test left in the agenda
    assert (code, released) == (1, f"    release {reader} case:lost")
    assert first.startswith(f"{service} {name}: case:lost from fact 1 on, parked since ")
    assert why == "    A fact does not match the schema of its type. (case.submitted/2: ValidationError)"

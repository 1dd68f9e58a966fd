"""The supervisor's lists: how many there are, all of them page by page, and back to where a form stood."""

from __future__ import annotations

import hashlib
import html
import re

import httpx2
import pytest

from caselog.outcomes import Appended, AppendRequest
from chassis.web import formats
from chassis.web.i18n import OWN_LOCALE, Translations
from deploy.demo.person import forms
from schemas.facts.review import CaseSuspended, TargetPassed
from services.review.app import SERVICE as REVIEW
from services.review.read import PAGE
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.faults.test_reread import sample
from tests.web.city import PASSWORD, City, confirmed, opened, sign_in

MANY = PAGE + 3
TITLES = {"escalations": "Missed deadlines", "undrawn": "Without a reviewer", "suspended": "With the commission"}
WORDS = Translations([OWN_LOCALE, ROOT / "services" / "review" / "locale"])


async def suspended(databases: Databases, case: str) -> None:
    """A case without a reviewer that is with the commission, its target passed."""
    await confirmed(databases, case)
    async with databases.appender("review") as appender:
        command = hashlib.sha256(case.encode()).digest()
        facts = [sample(TargetPassed), sample(CaseSuspended)]
        outcome = await appender.append(AppendRequest(f"case:{case}", None, command, bytes(32), "x:y", None, b"{}", facts))
        assert isinstance(outcome, Appended)


async def page(client: httpx2.AsyncClient, path: str, language: str = "en") -> str:
    return html.unescape((await client.get(path, headers={"Accept-Language": language})).text)


def part(text: str, title: str) -> str:
    """What stands under a heading of the overview."""
    return re.split(r"<h2>", text.partition(f"<h2>{title} ")[2])[0]


def resumable(text: str) -> list[str]:
    return [form.action.rpartition("/")[2] for form in forms(text) if "/resume/" in form.action]


async def test_the_overview_says_how_many_and_leads_to_all_of_each_list(city: City) -> None:
    line = "account add s1 --username nazer --role supervisor --name ناظر"
    assert (await city.type("review", line, PASSWORD))[0] == 0
    async with opened(REVIEW.create_app(city.settings_of("review")), "review") as client:
        assert await sign_in(client, "nazer", PASSWORD) == 303
        empty = await page(client, "/supervision")
        assert all(f"<h2>{title}</h2>" in empty for title in TITLES.values())
        for number in range(PAGE):
            await suspended(city.databases, f"case{number:02}")

        async def shown(count: int) -> bool:
            text = await page(client, "/supervision")
            return all(f'<h2>{title} <span class="mark">{count}</span></h2>' in text for title in TITLES.values())

        await eventually(lambda: shown(PAGE))
        assert "Next entries" not in await page(client, "/supervision"), "everything fits on the overview"

        for number in range(PAGE, MANY):
            await suspended(city.databases, f"case{number:02}")
        await eventually(lambda: shown(MANY))
        for language in ("fa", "en"):
            overview = await page(client, "/supervision", language)
            for name, english in TITLES.items():
                title = WORDS.text(language, english)
                under = part(overview, title)
                rows = under.count("<form") if name == "suspended" else under.count("<tr>") - 1
                assert f'<span class="mark">{formats.digits(MANY, language)}</span>' in under
                assert rows == PAGE
                onward = re.search(rf'rel="next" href="(/supervision/{name}\?after=[^"]+)"', under)
                assert onward
                last = await page(client, onward[1], language)
                assert f'<h1>{title} <span class="mark">{formats.digits(MANY, language)}</span></h1>' in last
                assert (last.count("/supervision/resume/") or last.count("<tr>") - 1) == MANY - PAGE
                assert 'rel="next"' not in last
                assert f'href="/supervision/{name}"' in last
                assert 'href="/supervision"' in last
                nothing = await page(client, f"/supervision/{name}?after=nothing", language)
                assert WORDS.text(language, "There are no more entries.") in nothing
                assert f'href="/supervision/{name}"' in nothing


async def test_a_form_returns_to_the_page_of_the_list_that_it_stood_on_which_no_longer_shows_the_case(city: City) -> None:
    async with opened(REVIEW.create_app(city.settings_of("review")), "review") as client:
        assert await sign_in(client, "nazer", PASSWORD) == 303
        first = await page(client, "/supervision/suspended")
        onward = re.search(r'rel="next" href="([^"]+)"', first)
        assert onward
        for path in (onward[1], "/supervision/suspended", "/supervision"):
            container = await page(client, path)
            case = resumable(container)[0]
            form = next(each for each in forms(container) if each.action.endswith(case))
            answer = await client.post(form.action, data={**form.hidden, "reason": "violation_settled"})
            assert (answer.status_code, answer.headers["location"]) == (303, path)
            assert case not in resumable(await page(client, path))


@pytest.mark.parametrize("path", ["/supervision", *(f"/supervision/{name}" for name in TITLES)])
async def test_a_reviewer_reads_no_list_of_the_supervisor(city: City, path: str) -> None:
    await city.type("review", "account add r1 --username barresi --role reviewer --name بررسی", PASSWORD)
    async with opened(REVIEW.create_app(city.settings_of("review")), "review") as client:
        assert await sign_in(client, "barresi", PASSWORD) == 303
        assert (await client.get(path, headers={"Accept": "application/json"})).status_code == 403

"""What an agency sees of what it answered: which question, of which case, when and how; and nothing that an open one hides."""

from __future__ import annotations

import hashlib
import html
import re
from datetime import UTC, datetime

import httpx2

from caselog.outcomes import Appended, AppendRequest, NewFact
from chassis.web import formats
from schemas.catalogue import catalogue
from schemas.envelope.fact import Fact
from schemas.facts import encode, inquiry, review
from schemas.facts.intake import CaseSubmitted
from services.inquiry.app import SERVICE as INQUIRY
from services.inquiry.read import PAGE
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.faults.test_reread import sample
from tests.services.facts import DUE
from tests.web.city import PASSWORD, City, opened, sign_in


async def asked(databases: Databases, case: str, *questions: tuple[str, str, str]) -> None:
    """A case with questions (id, agency, answer or nothing), each opened for its agency."""
    facts: list[tuple[str, NewFact]] = [("intake", sample(CaseSubmitted))]
    for question, agency, answer in questions:
        of = {"inquiry_id": question, "agency": agency, "question": "fire_safety"}
        facts += [
            ("review", fact(review.InquiryRequested(**of))),
            ("inquiry", fact(inquiry.InquiryOpened(**of, blocking=True, deadline=DUE))),
        ]
        if answer:
            facts.append(("inquiry", fact(inquiry.InquiryAnswered(inquiry_id=question, answer=answer))))
    for number, (writer, each) in enumerate(facts):
        async with databases.appender(writer) as appender:
            command = hashlib.sha256(f"{case} {number}".encode()).digest()
            outcome = await appender.append(AppendRequest(f"case:{case}", None, command, bytes(32), "x:y", None, b"{}", [each]))
            assert isinstance(outcome, Appended)


def fact(of: Fact) -> NewFact:
    return NewFact(of.TYPE, of.VERSION, encode(of))


async def desk(client: httpx2.AsyncClient, language: str, path: str = "/") -> str:
    return html.unescape((await client.get(path, headers={"Accept-Language": language})).text)


def rows(page: str, case: str) -> list[str]:
    """The rows of the page that lead to a question of the case, as a person reads them."""
    found = [row for row in re.findall(r"<tr>.*?</tr>", page, re.S) if f"/inquiries/{case}/" in row]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


async def test_an_answered_question_says_what_of_which_case_when_and_how(city: City) -> None:
    assert (await city.type("inquiry", "agency register fire"))[0] == 0
    officer = "account add o1 --username atash --role agency_officer --name آتش --agency fire"
    assert (await city.type("inquiry", officer, PASSWORD))[0] == 0
    await asked(city.databases, "known", ("aa01", "fire", "conditions"), ("aa02", "fire", ""), ("aa03", "heritage", "objection"))
    async with opened(INQUIRY.create_app(city.settings_of("inquiry")), "inquiry") as client:
        assert await sign_in(client, "atash", PASSWORD) == 303

        async def both() -> bool:
            return len(rows(await desk(client, "fa"), "known")) == 2

        await eventually(both)
        now, codes = datetime.now(UTC), catalogue().codes
        kind = catalogue().types[CaseSubmitted.model_validate_json(sample(CaseSubmitted).body).request_type]
        for language in ("fa", "en"):
            page = await desk(client, language)
            waiting, answered = rows(page, "known")
            for row, number in ((waiting, "aa02"), (answered, "aa01")):
                assert codes["questions"]["fire_safety"].label(language) in row
                assert kind.label(language) in row
                assert number in row
            assert answered.count(formats.day(now, language)) == 2, "asked and answered today"
            assert codes["answers"]["conditions"].label(language) in answered
            assert "aa03" not in page
            assert "heritage" not in page
            question = await desk(client, language, "/inquiries/known/aa01")
            assert codes["answers"]["conditions"].label(language) in question
            assert "/open" not in question, "what is answered can no longer be opened"
        assert (await client.get("/inquiries/known/aa03", headers={"Accept": "application/json"})).status_code == 404

        # Of the case an answered question tells what an open one tells, and no more: no code that opens its way elsewhere.
        page = await desk(client, "en")
        assert set(re.findall(r"/inquiries/(\w+)/", page)) == {"known"}
        assert "PK-" not in page


async def test_a_long_list_of_answers_comes_in_pages(city: City) -> None:
    for number in range(PAGE // 10 + 1):
        await asked(city.databases, f"many{number}", *((f"b{number}{each}", "registry", "no_objection") for each in range(10)))
    assert (await city.type("inquiry", "agency register registry"))[0] == 0
    officer = "account add o2 --username sabt --role agency_officer --name ثبت --agency registry"
    assert (await city.type("inquiry", officer, PASSWORD))[0] == 0
    async with opened(INQUIRY.create_app(city.settings_of("inquiry")), "inquiry") as client:
        assert await sign_in(client, "sabt", PASSWORD) == 303

        async def pages() -> list[str]:
            found = [await desk(client, "fa")]
            while older := re.search(r'href="(/\?before=[^"#]+)#answered">موارد قدیمی‌تر', found[-1]):
                found.append(await desk(client, "fa", older[1]))
            return found

        async def read_whole() -> bool:
            return sum(map(len, map(numbers, await pages()))) == PAGE + 10

        await eventually(read_whole)
        first, second = await pages()
        assert (len(numbers(first)), len(numbers(second))) == (PAGE, 10)
        assert len({*numbers(first), *numbers(second)}) == PAGE + 10
        assert 'href="/#answered"' in second
        assert 'href="/#answered"' not in first
        assert "پیش از این پاسخی داده نشده است" in await desk(client, "fa", "/?before=nowhere/x")


async def test_what_waits_comes_in_pages_says_how_many_and_turning_one_list_keeps_the_other(city: City) -> None:
    for number in range(PAGE // 10 + 1):
        of_ten = [(f"c{number}{each}", "social_security", "no_objection" if each % 2 else "") for each in range(10)]
        of_ten += [(f"d{number}{each}", "social_security", "" if each % 2 else "conditions") for each in range(10)]
        await asked(city.databases, f"long{number}", *of_ten)
    assert (await city.type("inquiry", "agency register social_security"))[0] == 0
    officer = "account add o3 --username tamin --role agency_officer --name تأمین --agency social_security"
    assert (await city.type("inquiry", officer, PASSWORD))[0] == 0
    async with opened(INQUIRY.create_app(city.settings_of("inquiry")), "inquiry") as client:
        assert await sign_in(client, "tamin", PASSWORD) == 303

        async def all_there() -> bool:
            page = await desk(client, "en")
            return f"Waiting for your answer: {PAGE + 10}." in page and len(numbers(page)) == 2 * PAGE

        await eventually(all_there)
        assert f"در انتظار پاسخ شما: {formats.digits(PAGE + 10, 'fa')}." in await desk(client, "fa")
        first = await desk(client, "en")
        later, older = link(first, "Later questions"), link(first, "Older entries")
        assert "Most urgent questions" not in first
        on = await desk(client, "en", later)
        assert (lists(on)[1], len(lists(on)[0])) == (lists(first)[1], 10)
        assert not {*lists(on)[0]} & {*lists(first)[0]}
        assert "Later questions" not in on
        assert f"Waiting for your answer: {PAGE + 10}." in on, "how many wait in all, on every page"
        assert link(on, "Most urgent questions") == "/"

        both = await desk(client, "en", link(on, "Older entries"))
        turned = await desk(client, "en", older)
        assert lists(both) == (lists(on)[0], lists(turned)[1]), "the answers turned, the questions stayed"
        assert lists(await desk(client, "en", link(turned, "Later questions"))) == lists(both), "and the other way round"
        assert lists(await desk(client, "en", link(both, "Most urgent questions"))) == (lists(first)[0], lists(both)[1])
        assert lists(await desk(client, "en", link(both, "Newest entries"))) == (lists(on)[0], lists(first)[1])

        lost = await desk(client, "en", "/?after=known/aa02")
        assert "You have no later questions." in lost
        assert (lists(lost), link(lost, "Most urgent questions")) == (([], lists(first)[1]), "/")


def link(page: str, words: str) -> str:
    """Where the link with these words leads."""
    found = re.search(rf'href="([^"#]+)(?:#answered)?">{words}</a>', page)
    assert found, words
    return found[1]


def lists(page: str) -> tuple[list[str], list[str]]:
    """The numbers of the questions that wait, and of those that were answered."""
    waiting, _, answered = page.partition('<h2 id="answered">')
    return numbers(waiting), numbers(answered)


def numbers(page: str) -> list[str]:
    """The numbers of the questions that the page leads to."""
    return re.findall(r'href="/inquiries/\w+/(\w+)"', page)

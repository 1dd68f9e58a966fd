"""Each answer to bad input in Persian and in English: the sentence of its refusal, word for word, and nothing changed by it."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest

from chassis import refusal
from chassis.privacy.documents import store
from chassis.refusal import Refusal
from chassis.web import problems
from chassis.web.i18n import OWN_LOCALE, Translations
from deploy.demo.filled import answers, documents
from deploy.demo.person import Person, forms
from deploy.demo.walk import Walk
from deploy.local.processes import service_urls
from services.intake import refusals as intake
from services.intake.pages.shared import FORM_BYTES
from services.review import refusals as review
from tests.conftest import ROOT
from tests.journeys.stack import Stack
from tests.journeys.test_5_bad_input import KIND, PLAN, raw, submissions


@dataclass
class Reader:
    """A person who reads one language, and what a service says in it."""

    language: str
    walk: Walk
    person: Person

    def says(self, answer: httpx2.Response, kind: type[Refusal], service: str = "intake") -> bool:
        """Whether the answer is this refusal in the reader's language, and in no other."""
        words = Translations([OWN_LOCALE, ROOT / "services" / service / "locale"])
        texts = {"fa": words.text("fa", f"refusal.{kind.code}"), "en": kind.default_text()}
        other = texts["en" if self.language == "fa" else "fa"]
        found = html.unescape(answer.text)
        return answer.status_code == kind.status and texts[self.language] in found and other not in found

    async def at(self, door: str, username: str) -> Person:
        person = await Person(service_urls()[door], self.language).sign_in(username, f"{username}-demo")
        self.walk._staff[f"{self.language} {door} {username}"] = person
        return person


@pytest.fixture(params=["fa", "en"])
async def reader(house: Stack, request: Any) -> AsyncIterator[Reader]:
    walk = Walk(service_urls(), house.var / "outbox")
    found = Reader(request.param, walk, Person(service_urls()["intake"], request.param))
    found.person = await found.at("intake", "office1")
    yield found
    await walk.close()


async def test_a_filing_that_is_wrong(house: Stack, reader: Reader) -> None:
    office, before = reader.person, await submissions(house)
    page = await office.get("/new/site_visit")
    good, papers = answers(KIND, PLAN), documents(KIND)
    form = next(each for each in forms(page.text) if each.action.endswith("/new/site_visit"))
    assert reader.says(await office._client.get("/new/castle"), intake.UnknownRequestType)
    assert reader.says(await office._client.post("/new/castle", data={**form.hidden, **good}), intake.UnknownRequestType)
    for change, refused in (
        ({"district": "6"}, intake.WrongDistrict),
        ({"district": "0"}, intake.WrongDistrict),
        ({"national_code": "0084575947"}, intake.WrongNationalCode),
        ({"mobile": "12"}, intake.WrongMobile),
        ({"email": "nobody"}, intake.WrongEmail),
        ({"consent": ""}, intake.ConsentMissing),
        ({"consent": "yes"}, intake.ConsentMissing),
    ):
        assert reader.says(await raw(office, page, {**good, **change}, papers), refused), change
    assert reader.says(await raw(office, page, good, papers[1:]), intake.MissingDocument)
    forged = [(name, (file, b"MZ no paper", kind)) for name, (file, _, kind) in papers]
    assert reader.says(await raw(office, page, good, forged), store.WrongType)
    whole = papers[0][1][1]
    large = [(papers[0][0], ("a.pdf", whole + bytes(26_500_000) + b"%%EOF", "application/pdf")), *papers[1:]]
    assert reader.says(await raw(office, page, good, large), store.TooLarge)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert reader.says(await office._client.post(form.action, headers=kind, content=bytes(FORM_BYTES + 1)), problems.BodyTooLarge)
    assert reader.says(await office._client.post(form.action, data=good), problems.CsrfRejected)
    assert await submissions(house) == before


async def test_the_same_key_with_another_body_and_a_session_that_ended(house: Stack, reader: Reader) -> None:
    office = reader.person
    page = await office.get("/new/site_visit")
    assert (await raw(office, page, answers(KIND, PLAN), documents(KIND))).status_code == 303
    filed = await submissions(house)
    assert (await raw(office, page, answers(KIND, PLAN), documents(KIND))).status_code == 303
    differs = await raw(office, page, {**answers(KIND, PLAN), "district": "2"}, documents(KIND))
    assert reader.says(differs, refusal.RequestDiffers)
    fresh = await office.get("/new/site_visit")
    owner = await asyncpg.connect(**house.settings_of("intake").as_owner("intake"))
    await owner.execute("UPDATE web_sessions SET idle_until = now() - interval '1 second' WHERE subject = 'op-1'")
    await owner.close()
    ended = await raw(office, fresh, answers(KIND, PLAN), documents(KIND))
    assert (ended.status_code, ended.headers["location"].partition("?")[0]) == (303, "/sign-in")
    asked = await office._client.post(f"{service_urls()['review']}/api/queue", headers={"Accept": "application/json"})
    assert asked.status_code in (401, 403, 405)
    queue = await office._client.get(f"{service_urls()['review']}/api/queue", headers={"Accept": "application/json"})
    assert reader.says(queue, problems.Unauthenticated, "review")
    assert queue.headers["content-type"] == "application/problem+json"
    assert await submissions(house) == filed


async def test_another_persons_case_and_a_program_that_sends_nonsense(house: Stack, reader: Reader) -> None:
    case, _ = await reader.walk.file(reader.person, PLAN)
    other = await reader.at("intake", "office2")
    assert reader.says(await other._client.get(f"/cases/{case}"), problems.NotFound)
    assert reader.says(await other._client.get("/identity"), problems.Forbidden)
    token = forms((await other.get("/track")).text)[0].hidden["_csrf"]
    for content, kind, refused in (
        (b"{", "application/json", problems.Invalid),
        (b"<x/>", "text/xml", problems.Invalid),
        (b'{"code":"PK-AAAA-AAAA-AAA"}', "application/json", problems.NotFound),
    ):
        headers = {"Content-Type": kind, "Accept": "application/json", "X-CSRF-Token": token}
        answer = await other._client.post("/api/track", content=content, headers=headers)
        assert reader.says(answer, refused), (content, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


async def test_a_stale_page_a_withdrawn_and_a_decided_case(house: Stack, reader: Reader) -> None:
    withdrawn, decided = [(await reader.walk.file(reader.person, PLAN))[0] for _ in range(2)]
    for case in (withdrawn, decided):
        await reader.walk.check_identity(case)
        reviewer = await reader.walk.drawn(case)
        reviewer._client.headers["Accept-Language"] = reader.language
        opened = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
        if case == withdrawn:
            await reader.person.send(await reader.person.get(f"/cases/{case}"), "/withdraw", {"reason": "sold"})
            stale = await reviewer.send(opened, "/approve", expect=409)
            assert reader.says(stale, refusal.PageIsStale, "review")
        else:
            await reviewer.send(opened, "/reject", {"reasons": "unsafe"})
        # The same form with the version of now, as a program would send it: the case has ended all the same.
        form = next(each for each in forms(opened.text) if each.action.endswith("/approve"))
        late = {**form.hidden, "_once": f"{form.hidden['_once']} again", "seen": "1000"}
        assert reader.says(await reviewer._client.post(form.action, data=late), review.CaseIsClosed, "review")

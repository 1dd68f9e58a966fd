"""Bad input at the real doors: a clear answer with field and reason, in the reader's language, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import httpx2
import pytest

from deploy.demo.filled import answers, documents, paper
from deploy.demo.person import Person, forms
from deploy.demo.plan import Applicant, Plan
from deploy.demo.walk import Walk
from deploy.demo.week import national_code
from deploy.local.processes import service_urls
from schemas.catalogue import catalogue
from schemas.envelope import shard_of
from tests.journeys.stack import Stack

KIND = catalogue().types["site_visit"]
APPLICANT = Applicant(national_code(345_123_678), "آزمون‌گر نمونه", "09131112233")
PLAN = Plan("site_visit", 1, "office1", APPLICANT)


async def submissions(house: Stack) -> int:
    connection = await asyncpg.connect(**house.settings_of("intake").as_owner("caselog"))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM log.facts WHERE type = 'case.submitted'"))
    finally:
        await connection.close()


async def raw(person: Person, page: httpx2.Response, values: dict[str, str], files: Any) -> httpx2.Response:
    """Send the filing form and take whatever comes."""
    form = next(each for each in forms(page.text) if each.action.endswith("/new/site_visit"))
    return await person._client.post(form.action, data={**form.hidden, **values}, files=files)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"district": "6"}, "منطقه‌های ۱ تا ۵"),
        ({"district": "abc"}, "منطقه‌های ۱ تا ۵"),
        ({"national_code": "1234567890"}, "کد ملی ده رقم"),
        ({"mobile": "12"}, "۰۹"),
        ({"email": "nobody"}, "ایمیل"),
        ({"registry_plate": ""}, "نیست یا نادرست"),
        ({"name": ""}, "نیست یا نادرست"),
    ],
)
async def test_a_wrong_field_is_named_in_the_readers_language_and_nothing_is_filed(
    house: Stack, change: dict[str, str], words: str
) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    before = await submissions(house)
    answer = await raw(office, await office.get("/new/site_visit"), {**answers(KIND, PLAN), **change}, documents(KIND))
    assert answer.status_code == 422
    assert words in answer.text
    assert "aria-invalid" in answer.text or 'id="e-' in answer.text
    assert answers(KIND, PLAN)["address"] in answer.text  # what was entered is still there
    assert await submissions(house) == before
    await walk.close()


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [(b"<html>not a paper</html>", 415, "PDF"), (b"", 422, "مدرک"), (paper()[:40], 415, "PDF")],
    ids=["forged", "empty", "cut"],
)
async def test_a_wrong_a_missing_and_a_damaged_document_are_refused(
    house: Stack, content: bytes, status: int, words: str
) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    before = await submissions(house)
    files = [
        (name, (file, content if name == "document_title_deed" else body, kind)) for name, (file, body, kind) in documents(KIND)
    ]
    answer = await raw(office, await office.get("/new/site_visit"), answers(KIND, PLAN), files)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert await submissions(house) == before
    await walk.close()


async def test_an_oversized_upload_is_refused_before_it_is_read(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    before = await submissions(house)
    page = await office.get("/new/site_visit")
    huge = [(name, (file, b"%PDF-1.7" + bytes(64_000_000), kind)) for name, (file, _, kind) in documents(KIND)[:1]]
    assert (await raw(office, page, answers(KIND, PLAN), huge)).status_code == 413
    big = [(name, (file, paper() + bytes(27_000_000) + b"%%EOF", kind)) for name, (file, _, kind) in documents(KIND)[:1]]
    rest = documents(KIND)[1:]
    assert (await raw(office, page, answers(KIND, PLAN), [*big, *rest])).status_code == 413
    assert await submissions(house) == before
    await walk.close()


async def test_a_double_click_files_once_and_the_same_key_with_another_body_is_refused(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    before = await submissions(house)
    page = await office.get("/new/site_visit")
    clicks = await asyncio.gather(*(raw(office, page, answers(KIND, PLAN), documents(KIND)) for _ in range(5)))
    assert {answer.status_code for answer in clicks} == {303}
    assert len({answer.headers["location"].partition("?")[0] for answer in clicks}) == 1
    assert await submissions(house) == before + 1
    other = await raw(office, page, {**answers(KIND, PLAN), "district": "2"}, documents(KIND))
    assert other.status_code == 422
    assert "کلید" in other.text
    assert await submissions(house) == before + 1
    await walk.close()


async def test_another_persons_case_is_not_even_confirmed_to_exist(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    case, _ = await walk.file(office, PLAN)
    other_office = await walk.staff("intake", "office2")
    citizen = await walk.citizen(Applicant(national_code(111_222_333), "دیگری", "09139998877"))
    paths = (f"/cases/{case}", f"/cases/{case}/certificate", f"/cases/{case}/documents/x")
    # An office has no door to papers at all, whoever's they are.
    for person, status in ((other_office, (404, 403, 403)), (citizen, (404, 404, 404))):
        for path, expected in zip(paths, status, strict=True):
            there = await person._client.get(path)
            nowhere = await person._client.get(path.replace(case, "a" * 26))
            assert there.status_code == nowhere.status_code == expected
    await citizen.__aexit__(None, None, None)
    await walk.close()


async def test_a_citizen_files_for_themselves_only(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    citizen = await walk.citizen(Applicant(national_code(111_222_333), "دیگری", "09139998877"))
    before = await submissions(house)
    answer = await raw(citizen, await citizen.get("/new/site_visit"), answers(KIND, PLAN), documents(KIND))
    assert answer.status_code == 422
    assert await submissions(house) == before
    await citizen.__aexit__(None, None, None)
    await walk.close()


class Unlucky(Person):
    """The first answer to who asks for a one-time code is lost on its way: the code was sent, its page never came."""

    def __init__(self, door: str) -> None:
        super().__init__(door)
        self.sent: list[str] = []
        self._client.event_hooks = {"response": [self._lose]}

    async def _lose(self, answer: httpx2.Response) -> None:
        if answer.request.method == "POST":
            self.sent.append(answer.request.url.path)
            if self.sent == ["/citizen/sign-in"]:
                raise httpx2.ReadError("lost")


async def test_of_two_codes_the_one_of_the_page_that_came_signs_in(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox", person=Unlucky)
    citizen = await walk.citizen(Applicant(national_code(111_222_444), "دیگری", "09139998866"))
    assert isinstance(citizen, Unlucky)
    assert citizen.sent == ["/citizen/sign-in", "/citizen/sign-in", "/citizen/code"]
    await citizen.get("/new")
    await citizen.__aexit__(None, None, None)
    await walk.close()


async def test_an_expired_session_leads_to_sign_in_and_an_api_call_gets_a_problem_document(house: Stack) -> None:
    async with Person(service_urls()["review"]) as nobody:
        page = await nobody.get("/queue")
        assert page.url.path == "/sign-in"
        problem = await nobody._client.get("/api/queue", headers={"Accept": "application/json", "Accept-Language": "en"})
    assert problem.status_code == 401
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["type"] == "urn:parvandeh:problem:sign_in_needed"


async def test_who_refused_a_case_may_still_see_it_in_a_stale_queue_and_is_told_that_it_is_not_theirs(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    case, _ = await walk.file(await walk.staff("intake", "office1"), PLAN)
    await walk.check_identity(case)
    first = await walk.drawn(case)
    page = await first.send(await first.get(f"/cases/{case}"), "/open")
    owner = await asyncpg.connect(**house.settings_of("review").as_owner("review"))
    async with owner.transaction():  # review's rows stand still
        await owner.execute(
            "SELECT 1 FROM checkpoints WHERE reader = 'cases' AND shard = $1 FOR UPDATE", shard_of(f"case:{case}")
        )
        queue = await first.send(page, "/refuse", {"reason": "interest"})
        assert case in queue.text
        assert "دیگر از آنِ شما نیست" in (await first.get(f"/cases/{case}", expect=403)).text
        with pytest.raises(TimeoutError):  # nobody is there to be found: the queue alone would give the first again
            async with asyncio.timeout(1):
                await walk.drawn(case)
    assert await walk.drawn(case) is not first
    await owner.close()
    await walk.close()


async def test_a_decision_on_a_withdrawn_case_and_a_stale_page_are_refused(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    case, _ = await walk.file(office, PLAN)
    await walk.check_identity(case)
    reviewer = await walk.drawn(case)
    opened = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
    await office.send(await office.get(f"/cases/{case}"), "/withdraw", {"reason": "sold"})
    refused = await reviewer.send(opened, "/approve", expect=409)
    assert "تغییر کرد" in refused.text or "پس گرفته" in refused.text
    await walk.close()


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b'{"code": 5}', "application/json", 422),
        (b"<x/>", "text/xml", 422),
        (b"[]", "application/json", 422),
        (b'{"code":"PK-AAAA-AAAA-AAA","more":1}', "application/json", 422),
    ],
)
async def test_malformed_json_and_a_wrong_content_type_get_problem_documents(
    content: bytes, kind: str, status: int, house: Stack
) -> None:
    async with Person(service_urls()["intake"]) as somebody:
        page = await somebody.get("/track")
        token = forms(page.text)[0].hidden["_csrf"]
        headers = {"Content-Type": kind, "Accept": "application/json", "X-CSRF-Token": token, "Accept-Language": "en"}
        answer = await somebody._client.post("/api/track", content=content, headers=headers)
    assert answer.status_code == status
    problem = json.loads(answer.content)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["errors"]
    assert len(content) < 4 or content.decode() not in answer.text


async def test_a_form_from_elsewhere_is_refused(house: Stack) -> None:
    async with Person(service_urls()["intake"]) as somebody:
        page = await somebody.get("/sign-in")
        values = {"username": "office1", "password": "office1-demo"}
        without = await somebody._client.post("/sign-in", data=values)
        forged = await somebody._client.post("/sign-in", data={**values, "_csrf": "0" * 64})
        hidden = next(form for form in forms(page.text) if form.action == "/sign-in").hidden
        foreign = await somebody._client.post(
            "/sign-in", data={**values, **hidden}, headers={"Origin": "http://elsewhere.example"}
        )
        cross = await somebody._client.post("/sign-in", data={**values, **hidden}, headers={"Sec-Fetch-Site": "cross-site"})
    assert {answer.status_code for answer in (without, forged, foreign, cross)} == {403}


async def test_sign_in_leads_to_no_foreign_page_and_tells_nothing(house: Stack) -> None:
    async with Person(service_urls()["intake"]) as somebody:
        page = await somebody.get("/sign-in?next=//elsewhere.example/x")
        answer = await somebody.send(page, "/sign-in", {"username": "office1", "password": "wrong"}, expect=422)
        nobody = await somebody.send(page, "/sign-in", {"username": "nobody", "password": "wrong"}, expect=422)
        assert "گذرواژه" in answer.text
        assert answer.text.replace("office1", "").count("notice bad") == nobody.text.count("notice bad") == 1
        done = await somebody.send(
            page, "/sign-in", {"username": "office1", "password": "office1-demo", "next": "//elsewhere.example"}
        )
        assert str(done.url).startswith(service_urls()["intake"])


async def test_every_answer_carries_the_strict_headers(house: Stack) -> None:
    for service in ("intake", "review", "inquiry", "notify", "audit"):
        async with Person(service_urls()[service]) as somebody:
            for path in ("/", "/sign-in", "/nothing", "/health"):
                answer = await somebody._client.get(path)
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "server" not in answer.headers


async def test_metrics_name_routes_by_pattern_and_never_a_case(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office1")
    case, _ = await walk.file(office, PLAN)
    text = (await office.get("/metrics", accept="text/plain")).text
    assert case not in text
    assert 'route="/cases/{case_id}"' in text
    await walk.close()

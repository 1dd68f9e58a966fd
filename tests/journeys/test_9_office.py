"""A counter office: it and the applicant both know who is told; it opens nothing of the applicant without a fact."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chassis.web.i18n import Translations
from deploy.demo.person import Person, forms
from deploy.demo.plan import Applicant, Plan
from deploy.demo.walk import Walk
from deploy.demo.week import national_code
from deploy.local.processes import service_urls
from services.intake.decide.filing import WORDINGS
from tests.conftest import ROOT
from tests.journeys.stack import Stack

APPLICANT = Applicant(national_code(367_891_234), "گل‌بانو پیشخوانی", "09137778899", "golbanu@example.org")
NOTE = "برگهٔ سوم خوانا نیست"


async def facts(walk: Walk, case: str) -> list[dict[str, Any]]:
    auditor = await walk.staff("audit", "auditor1")
    found: list[dict[str, Any]] = (await auditor.get(f"/cases/{case}/timeline.json", accept="application/json")).json()["facts"]
    return found


async def asked(house: Stack, walk: Walk, office: str = "office1") -> str:
    """A case that an office filed, in which the clerk asks for other papers with a note."""
    case, _ = await walk.file(await walk.staff("intake", office), Plan("site_visit", 1, office, APPLICANT))
    clerk = await walk.staff("intake", "clerk1")
    page = await clerk.send(await clerk.get(f"/identity/{case}"), "/open")
    await clerk.send(page, "/question", {"reasons": "unreadable", "note": NOTE})
    await house.settled()
    return case


async def test_both_are_told_of_each_step_once_and_only_of_what_stands_in_the_log(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    plan = Plan("building_permit", 2, "office1", APPLICANT, correction=True, agency="fire", papers=True)
    by_office = (await walk.request(plan)).case_id
    by_citizen = (await walk.request(Plan("site_visit", 2, None, APPLICANT))).case_id
    await house.settled()
    for case, filed_by_office in ((by_office, True), (by_citizen, False)):
        line = await facts(walk, case)
        places = {f["position"]: number for number, f in enumerate(line)}
        told = [f["body"] for f in line if f["type"].startswith("message.sent")]
        assert max(Counter((t["about"], t["recipient"], t["channel"]) for t in told).values()) == 1
        for number, fact in enumerate(line):
            if fact["type"].startswith("message."):
                assert places[fact["body"]["about"]] < number  # never told before it was so
        applicant = {(t["about"], t["template"]) for t in told if (t["recipient"], t["channel"]) == ("applicant", "inapp")}
        office = {(t["about"], t["template"], t["channel"]) for t in told if t["recipient"] == "office"}
        assert len(applicant) >= 4
        assert office == ({(*each, "inapp") for each in applicant} if filed_by_office else set())
    await walk.close()


async def test_an_office_finds_what_it_was_told_marked_until_it_was_read_and_nothing_of_others(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office, other = await walk.staff("intake", "office1"), await walk.staff("intake", "office2")
    one, two = await asked(house, walk), await asked(house, walk)
    desk = (await office.get("/office")).text
    assert desk.count("مدارک هویتی دیگری از متقاضی خواسته شد") >= 2
    assert unread(desk, one) == unread(desk, two) == 2
    for needle in (APPLICANT.name, APPLICANT.national_code, APPLICANT.mobile, APPLICANT.email, NOTE):
        assert needle not in desk
    assert one not in (await other.get("/office")).text
    await office.get(f"/cases/{one}")
    desk = (await office.get("/office")).text
    assert (unread(desk, one), unread(desk, two)) == (0, 2)
    await other.get("/office")
    page = await office.get("/office")
    read = await office.send(page, "/office/notices/seen")
    assert unread(read.text, two) == 0
    # What arrives after the page was shown stays unread, also when the old page's button is pressed.
    three = await asked(house, walk)
    assert unread((await office.send(page, "/office/notices/seen")).text, three) == 2
    for wrong in ("yesterday", "2026-11-25T00:00:00"):
        await office.send(page, "/office/notices/seen", {"until": wrong}, expect=422)
    await walk.close()


def unread(desk: str, case: str) -> int:
    lines = [line.partition("</li>")[0] for line in desk.split("<li>")[1:]]
    told = [line for line in lines if f"/cases/{case}" in line]
    assert told
    return sum('class="mark wait"' in line for line in told)


@pytest.mark.parametrize(
    ("language", "office_words", "citizen_words"),
    [
        (
            "fa",
            ("پیامکی نمی‌گیرد", "متقاضی از هر گام در درگاه"),
            ("با پیامک هم", "دفتر پیشخوانی که درخواست را برای شما ثبت کرد", "دفتر پیشخوان آزادی"),
        ),
        (
            "en",
            ("gets no text message", "The applicant sees every step"),
            ("you also get a text message", "The counter office that filed for you", "Azadi counter office"),
        ),
    ],
)
async def test_the_filing_and_the_case_page_say_who_is_told_and_how(
    house: Stack, language: str, office_words: tuple[str, ...], citizen_words: tuple[str, ...]
) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office = await Person(service_urls()["intake"], language).sign_in("office1", "office1-demo")
    case, _ = await walk.file(office, Plan("site_visit", 3, "office1", APPLICANT))
    await house.settled()
    confirmation = (await office.get(f"/cases/{case}?filed=yes")).text
    assert all(confirmation.count(words) == 2 for words in office_words)  # in the confirmation, and where it is told
    citizen = await walk.citizen(APPLICANT)
    citizen._client.headers["Accept-Language"] = language
    page = (await citizen.get(f"/cases/{case}")).text
    assert all(words in page for words in citizen_words)
    assert citizen_words[2] in (await office.get("/office")).text
    assert not [fact for fact in await facts(walk, case) if citizen_words[2] in str(fact)], "a case's facts name no office"
    mine = await walk.file(citizen, Plan("site_visit", 3, None, APPLICANT))
    page = (await citizen.get(f"/cases/{mine[0]}?filed=yes")).text
    assert page.count(citizen_words[0]) >= 2
    assert citizen_words[1] not in page
    assert citizen_words[2] not in page
    for person in (office, citizen):
        await person.__aexit__(None, None, None)
    await walk.close()


async def test_an_office_opens_a_note_and_a_certificate_by_a_fact_and_a_paper_not_at_all(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    office, other = await walk.staff("intake", "office1"), await walk.staff("intake", "office2")
    case = await asked(house, walk)
    page = await office.get(f"/cases/{case}")
    assert NOTE not in page.text
    assert not [each for each in await openings(walk, case) if each[0] == "office_operator"]
    shown = await office.send(page, f"/cases/{case}/note")
    assert NOTE in shown.text
    assert (await openings(walk, case))[-1] == ("office_operator", ["note"], "answer_for_applicant")
    documents = [d["document_id"] for d in (await facts(walk, case))[0]["body"]["documents"]]
    for document in documents:
        await office.get(f"/cases/{case}/documents/{document}", expect=403)
        await other.get(f"/cases/{case}/documents/{document}", expect=403)
    await office.get(f"/cases/{case}/certificate", expect=403)
    form = next(each for each in forms(page.text) if each.action.endswith("/note"))
    for path in ("note", "certificate"):
        for person, status in ((other, 404), (await walk.staff("intake", "clerk1"), 403)):
            db = next(each for each in forms((await person.get("/new" if status == 404 else "/identity")).text)).hidden["_csrf"]
            sent = await person._client.post(f"/cases/{case}/{path}", data={**form.hidden, "_csrf": db})
            assert sent.status_code == status
    citizen = await walk.citizen(APPLICANT)
    assert NOTE in (await citizen.get(f"/cases/{case}")).text
    before = len(await openings(walk, case))
    await citizen.get(f"/cases/{case}/documents/{documents[0]}", accept="*/*")
    assert len(await openings(walk, case)) == before  # people who read their own data leave no fact
    await citizen.__aexit__(None, None, None)

    done = await walk.request(Plan("site_visit", 3, "office1", APPLICANT))
    assert (await openings(walk, done.case_id))[-1] == ("office_operator", ["certificate"], "certificate_for_applicant")
    await walk.close()


@pytest.mark.parametrize("language", ["fa", "en"])
async def test_the_consent_is_asked_of_an_office_alone_and_stands_in_the_fact_and_on_every_page(
    house: Stack, language: str
) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    texts = Translations([ROOT / "services" / "intake" / "locale"])
    wording = texts.text(language, f"consent.{WORDINGS[-1]}")
    office = await Person(service_urls()["intake"], language).sign_in("office1", "office1-demo")
    citizen = await walk.citizen(APPLICANT)
    auditor = await Person(service_urls()["audit"], language).sign_in("auditor1", "auditor1-demo")
    citizen._client.headers["Accept-Language"] = language
    assert wording in (await office.get("/new/site_visit")).text
    assert wording not in (await citizen.get("/new/site_visit")).text
    case, _ = await walk.file(office, Plan("site_visit", 3, "office1", APPLICANT))
    mine, _ = await walk.file(citizen, Plan("site_visit", 3, None, APPLICANT))
    assert (await facts(walk, case))[0]["body"]["consent"] == WORDINGS[-1]
    assert "consent" not in (await facts(walk, mine))[0]["body"]
    for person in (office, citizen):
        assert wording in (await person.get(f"/cases/{case}")).text
    assert wording not in (await citizen.get(f"/cases/{mine}")).text
    assert WORDINGS[-1] in (await auditor.get(f"/cases/{case}")).text
    assert WORDINGS[-1] not in (await auditor.get(f"/cases/{mine}")).text
    for person in (office, citizen, auditor):
        await person.__aexit__(None, None, None)
    await walk.close()


async def openings(walk: Walk, case: str) -> list[tuple[str, list[str], str]]:
    """Role, what and reason of each opening by intake's people."""
    found = [fact for fact in await facts(walk, case) if fact["type"].startswith("papers.opened")]
    return [(fact["actor"].partition(":")[0], fact["body"]["what"], fact["body"]["reason"]) for fact in found]

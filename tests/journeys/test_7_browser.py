"""One building permit by hand in a real browser, as each of its people: what a person would click, and axe on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

from deploy.demo.filled import paper
from deploy.demo.walk import REVIEWERS
from deploy.demo.week import national_code
from deploy.local.processes import service_urls
from schemas.catalogue import catalogue
from tests.eventing.harness import eventually
from tests.journeys.stack import Stack
from tests.web.browser import browsing, needs_browser, page_is_sound

pytestmark = [needs_browser, pytest.mark.browser]
CODE, MOBILE = national_code(567_123_890), "09135556677"


async def person(browser: Browser, width: int = 390) -> Page:
    context = await browser.new_context(locale="fa-IR", reduced_motion="reduce", viewport={"width": width, "height": 900})
    return await context.new_page()


async def staff(browser: Browser, door: str, username: str) -> Page:
    page = await person(browser, 1280)
    await page.goto(service_urls()[door] + "/sign-in")
    await page.fill("#f-username", username)
    await page.fill("#f-password", f"{username}-demo")
    await page.click("form[action='/sign-in'] button")
    return page


async def citizen(browser: Browser, house: Stack) -> Page:
    page = await person(browser)
    await page.goto(service_urls()["intake"] + "/citizen/sign-in")
    await page.fill("#f-national_code", CODE)
    await page.fill("#f-mobile", MOBILE)
    await page.click("form[action='/citizen/sign-in'] button")
    await page_is_sound(page, "citizen-code-fa-390")
    found: list[str] = []

    async def arrived() -> bool:
        for path in (house.var / "outbox" / "sms").glob("*.json"):
            message = json.loads(path.read_bytes())
            code = re.search(r"\b\d{6}\b", message["text"])
            if message["to"] == MOBILE and code and "http" not in message["text"]:
                found.append(code.group())
        return bool(found)

    await eventually(arrived)
    await page.fill("#f-code", found[0])
    await page.click("form[action='/citizen/code'] button")
    return page


async def open_case(page: Page, path: str, form: str) -> None:
    await page.goto(path)
    await page.click(f"form[action$='{form}'] button")


@pytest.fixture
def hurried(houses: Callable[..., Stack]) -> Stack:
    """A house whose working days take two seconds: ten of them pass while the reviewer waits."""
    return houses(PARVANDEH_WORKING_DAY_SECONDS="2")


@pytest.mark.timeout(300)
async def test_a_permit_by_hand_from_the_citizens_telephone_to_the_auditor(hurried: Stack, tmp_path: Path) -> None:
    house = hurried
    file = tmp_path / "paper.pdf"
    file.write_bytes(paper())
    async with browsing() as browser:
        me = await citizen(browser, house)
        case = await file_a_permit(me, file)
        clerk = await staff(browser, "intake", "clerk1")
        await confirm(clerk, case)
        reviewer = await drawn(browser, case)
        await a_correction_that_is_overdue(browser, house, me, reviewer, case, file)
        await confirm(clerk, case)
        await an_inquiry(browser, reviewer, case)
        await the_end(browser, me, reviewer, case, tmp_path)
    told = await facts_of(house, case)
    once = ["case.submitted", "correction.overdue", "correction.answered", "inquiry.answered", "case.approved"]
    assert [each for each in told if each in once] == once


async def file_a_permit(me: Page, file: Path) -> str:
    await me.click("a[href='/new']")
    await me.click("a[href='/new/building_permit']")
    await me.fill("#f-national_code", CODE)
    await me.fill("#f-name", "مینا رستمی")
    await me.fill("#f-mobile", MOBILE)
    await me.select_option("#f-district", "3")
    for field in catalogue().types["building_permit"].fields:
        await me.fill(f"#f-{field.key}", "۳" if field.kind == "number" else "نوشتهٔ نمونه")
    for each in catalogue().types["building_permit"].documents:
        if each.required:
            await me.set_input_files(f"#f-{each.key}", file)
    await me.click("form[action='/new/building_permit'] button")
    await expect(me.locator(".notice.good")).to_be_visible()
    await page_is_sound(me, "citizen-filed-fa-390")
    return me.url.rpartition("/")[2].partition("?")[0]


async def confirm(clerk: Page, case: str) -> None:
    await open_case(clerk, f"{service_urls()['intake']}/identity/{case}", "/open")
    await expect(clerk.get_by_text("مینا رستمی")).to_be_visible()
    await page_is_sound(clerk, "clerk-opened-fa-1280")
    await clerk.click("form[action$='/confirm'] button")


async def a_correction_that_is_overdue(browser: Browser, house: Stack, me: Page, reviewer: Page, case: str, file: Path) -> None:
    await open_case(reviewer, f"{service_urls()['review']}/cases/{case}", "/open")
    assert "مینا" not in await reviewer.content()
    await reviewer.check("#k-correct-plans_wrong")
    await reviewer.fill("#n-correct", "مقیاس نقشه درست نیست")
    await reviewer.click("form[action$='/correct'] button")

    await overdue(house, case)
    supervisor = await staff(browser, "review", "supervisor1")
    await shows(supervisor, service_urls()["review"] + "/supervision", "مهلت")
    await expect(supervisor.locator("table.list").first).to_be_visible()
    await page_is_sound(supervisor, "supervisor-escalated-fa-1280")

    await shows(me, f"{service_urls()['intake']}/cases/{case}", "مقیاس نقشه")
    await page_is_sound(me, "citizen-asked-fa-390")
    await me.fill("#f-text", "نقشهٔ تازه پیوست شد")
    await me.set_input_files("#f-plans", file)
    await me.click("form[action$='/answer'] button")


async def an_inquiry(browser: Browser, reviewer: Page, case: str) -> None:
    await open_case(reviewer, f"{service_urls()['review']}/cases/{case}", "/open")
    await expect(reviewer.get_by_text("نقشهٔ تازه پیوست شد")).to_be_visible()
    await reviewer.select_option("#p-agency", "fire")
    await reviewer.click("form[action$='/inquire'] button")
    officer = await staff(browser, "inquiry", "fire")
    await shows(officer, service_urls()["inquiry"] + "/", f"/inquiries/{case}")
    await officer.click(f"a[href^='/inquiries/{case}']")
    await officer.click("form[action$='/open'] button")
    await page_is_sound(officer, "officer-opened-fa-1280")
    await officer.click("form[action$='/answer'] button")


async def the_end(browser: Browser, me: Page, reviewer: Page, case: str, tmp_path: Path) -> None:
    await open_case(reviewer, f"{service_urls()['review']}/cases/{case}", "/open")
    await reviewer.check("#k-approve-levy_paid")
    await reviewer.click("form[action$='/approve'] button")
    await shows(me, f"{service_urls()['intake']}/cases/{case}", f"/cases/{case}/certificate")
    async with me.expect_download() as download:
        await me.click(f"a[href='/cases/{case}/certificate']")
    saved = tmp_path / "certificate.pdf"
    await (await download.value).save_as(saved)
    assert saved.read_bytes().startswith(b"%PDF-")
    await me.click("a[href^='/check/']")
    await expect(me.locator(".notice.good")).to_be_visible()
    await page_is_sound(me, "check-genuine-fa-390")
    await me.goto(service_urls()["intake"] + "/")
    await expect(me.locator(f"a[href='/cases/{case}']")).to_be_visible()
    await page_is_sound(me, "citizen-home-fa-390")

    auditor = await staff(browser, "audit", "auditor1")
    await auditor.fill("#f-q", case)
    await auditor.click("form[action='/'] button")
    await expect(auditor.locator(".notice.good")).to_be_visible()
    assert "correction.overdue" in await auditor.content()
    await page_is_sound(auditor, "auditor-whole-fa-1280")


async def drawn(browser: Browser, case: str) -> Page:
    pages = [await staff(browser, "review", name) for name in REVIEWERS]
    found: list[Page] = []

    async def in_a_queue() -> bool:
        for page in pages:
            await page.goto(service_urls()["review"] + "/queue")
            if await page.locator(f"a[href='/cases/{case}']").count():
                found.append(page)
                return True
        return False

    await eventually(in_a_queue)
    return found[0]


async def shows(page: Page, path: str, text: str) -> None:
    async def there() -> bool:
        await page.goto(path)
        return text in await page.content()

    await eventually(there)


async def facts_of(house: Stack, case: str) -> list[str]:
    """What the log holds of the case, in order."""
    log = await asyncpg.connect(**house.settings_of("audit").as_owner("caselog"))
    try:
        query = "SELECT type FROM log.facts WHERE stream = $1 ORDER BY version"
        return [row["type"] for row in await log.fetch(query, f"case:{case}")]
    finally:
        await log.close()


async def overdue(house: Stack, case: str) -> None:
    """Wait until the time for the correction has passed: twenty seconds on this house's hurried calendar."""

    async def told() -> bool:
        return "correction.overdue" in await facts_of(house, case)

    await eventually(told, 60)

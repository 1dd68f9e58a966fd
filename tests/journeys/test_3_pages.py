"""Every page, at 390 and 1280 px, in Persian and English: axe finds nothing, nothing scrolls sideways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from deploy.demo.plan import Plan, Walked
from deploy.demo.walk import Walk
from deploy.demo.week import plans
from deploy.local.processes import service_urls
from schemas.catalogue import catalogue
from tests.journeys.stack import Stack
from tests.web.browser import WIDTHS, browsing, needs_browser, page_is_sound

CITIZEN = "a citizen"
pytestmark = [needs_browser, pytest.mark.browser]


@dataclass
class Scene:
    """Cases in several states, for the pages to show."""

    done: Walked
    asked: str
    """A case in which a correction is asked."""
    question: str
    """Path of an open question."""
    waiting: str
    """A case that waits for the identity clerk."""
    drawn: str
    """A case in a reviewer's queue."""
    reviewer: str
    mine: tuple[str, str]
    """A citizen's own cases: one that was approved, and one in which a correction is asked."""
    session: dict[str, str]
    """That citizen's cookies at intake."""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as found:
        yield found


async def scene(house: Stack) -> Scene:
    done, *_ = await house.walk([p for p in plans(40, 5) if p.office == "office1" and p.end == "approve"][:1])
    week = [p for p in plans(60, 6) if p.office == "office1" and p.kind == "building_permit"]
    walk = Walk(service_urls(), house.var / "outbox")
    try:
        office = await walk.staff("intake", "office1")
        waiting, _ = await walk.file(office, week[0])
        drawn, _ = await walk.file(office, week[1])
        await walk.check_identity(drawn)
        reviewer = await walk.drawn(drawn)
        page = await reviewer.send(await reviewer.get(f"/cases/{drawn}"), "/open")
        await reviewer.send(page, "/inquire", {"agency": "fire", "question": "fire_safety"})
        page = await reviewer.send(await reviewer.get(f"/cases/{drawn}"), "/open")
        await reviewer.send(page, "/correct", {"reasons": "plans_wrong", "note": "مقیاس نقشه"})
        await house.settled()
        officer = await walk.staff("inquiry", "fire")
        text = (await officer.get("/")).text
        question = text[text.index(f"/inquiries/{drawn}") :].partition('"')[0]
        name = next(name for name, person in walk._staff.items() if person is reviewer).partition(" ")[2]
        mine, session = await of_a_citizen(walk, replace(week[2], office=None, correction=False, agency=None, end="approve"))
        return Scene(done, drawn, question, waiting, drawn, name, mine, session)
    finally:
        await walk.close()


async def of_a_citizen(walk: Walk, plan: Plan) -> tuple[tuple[str, str], dict[str, str]]:
    approved = await walk.request(plan)
    me = await walk.citizen(plan.applicant)
    asked, _ = await walk.file(me, plan)
    await walk.check_identity(asked)
    reviewer = await walk.drawn(asked)
    page = await reviewer.send(await reviewer.get(f"/cases/{asked}"), "/open")
    await reviewer.send(page, "/correct", {"reasons": "plans_wrong", "note": "مقیاس نقشه"})
    await walk.asked(me, asked)
    return (approved.case_id, asked), me.cookies


def tours(s: Scene) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Who looks at which pages: door, user name, paths. A path that ends with `!` is opened by the form on it."""
    forms = tuple(f"/new/{kind}" for kind in catalogue().types)
    return {
        "public": ("intake", "", ("/", "/track", f"/track?code={s.done.tracking_code}", "/track?code=x", "/check", "/check/PK-X",
                                  "/sign-in", "/citizen/sign-in", "/nothing", "/sign-in/oidc", "/signed-out")),
        "citizen": ("intake", CITIZEN, ("/", "/new", "/new/building_permit", *(f"/cases/{case}" for case in s.mine))),
        "office": ("intake", "office1", ("/", "/new", *forms, "/office", f"/cases/{s.done.case_id}", f"/cases/{s.asked}")),
        "clerk": ("intake", "clerk1", ("/identity", f"/identity/{s.waiting}", f"/identity/{s.waiting}!", "/new")),
        "engineer": ("intake", "engineer1", ("/", "/status")),
        "reviewer": ("review", s.reviewer, ("/queue", f"/cases/{s.drawn}", f"/cases/{s.drawn}!", "/supervision")),
        "supervisor": ("review", "supervisor1", ("/supervision", "/supervision/escalations", "/supervision/suspended?after=x")),
        "officer": ("inquiry", "fire", ("/", s.question, f"{s.question}!")),
        "other officer": ("inquiry", "heritage", ("/", s.question)),
        "operator": ("notify", "operator1", ("/",)),
        "auditor": ("audit", "auditor1", ("/", "/?q=nothing", f"/cases/{s.done.case_id}")),
    }  # fmt: skip


@pytest.mark.timeout(800)
async def test_every_page_is_sound_at_both_widths_in_both_languages(house: Stack, browser: Browser) -> None:
    s = await scene(house)
    looked_at = 0
    for language in ("fa", "en"):
        for who, (door, username, paths) in tours(s).items():
            context = await browser.new_context(locale="fa-IR" if language == "fa" else "en-GB", reduced_motion="reduce")
            page = await context.new_page()
            if username == CITIZEN:
                await context.add_cookies(
                    [{"name": name, "value": value, "url": service_urls()[door]} for name, value in s.session.items()]
                )
            elif username:
                await sign_in(page, service_urls()[door], username)
            for path in paths:
                await page.goto(service_urls()[door] + path.rstrip("!"))
                if path.endswith("!"):
                    await page.click(f"form[action$='{path.rstrip('!').rpartition('/')[2]}/open'] button")
                assert await page.get_attribute("html", "lang") == language
                for width in WIDTHS:
                    await page.set_viewport_size({"width": width, "height": 900})
                    name = f"{who}-{path.strip('/!').replace('/', '_').replace('?', '_')[:40]}-{language}-{width}"
                    await page_is_sound(page, name)
                    looked_at += 1
            await context.close()
    assert looked_at >= 4 * 30


async def sign_in(page: Page, door: str, username: str) -> None:
    await page.goto(f"{door}/sign-in")
    await page.fill("#f-username", username)
    await page.fill("#f-password", f"{username}-demo")
    await page.click("form[action='/sign-in'] button")
    assert "/sign-in" not in page.url


async def test_the_language_can_be_changed_on_every_page_and_stays(house: Stack, browser: Browser) -> None:
    context: BrowserContext = await browser.new_context(locale="fa-IR")
    page = await context.new_page()
    await page.goto(service_urls()["intake"] + "/track")
    await page.click("form[action='/language'] button")
    assert await page.get_attribute("html", "dir") == "ltr"
    assert page.url.endswith("/track")
    await page.goto(service_urls()["intake"] + "/check")
    assert await page.get_attribute("html", "lang") == "en"
    await context.close()


async def test_a_request_can_be_filed_with_the_keyboard_alone_and_without_scripts(house: Stack, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, locale="fa-IR")
    page = await context.new_page()
    await page.goto(service_urls()["intake"] + "/sign-in")
    await page.keyboard.press("Tab")
    assert await page.locator(":focus").get_attribute("class") == "skip"
    await page.focus("#f-username")
    await page.keyboard.type("office1")
    await page.keyboard.press("Tab")
    await page.keyboard.type("office1-demo")
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: "/sign-in" not in url)
    await page.goto(service_urls()["intake"] + "/new/site_visit")
    assert await page.locator("form[action='/new/site_visit'] button").count() == 1
    await context.close()

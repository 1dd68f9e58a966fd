"""A real browser for the page tests, and what every page must satisfy: no axe violation, no sideways scrolling."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
WIDTHS: Final = (390, 1280)
WIDEST_IDS: Final = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replace(/\\b[a-z2-7]{26}\\b/g, "w".repeat(26));
}"""
"""A case's id is as wide as its letters: a page that holds one of i and l may not hold the next one."""
needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed (it needs root; .ci/run installs it)")


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield browser
        await browser.close()


async def page_is_sound(page: Page, name: str) -> None:
    """Raises AssertionError naming what axe found; keeps a picture where PARVANDEH_PICTURES says."""
    if pictures := os.environ.get("PARVANDEH_PICTURES"):
        await page.screenshot(path=f"{pictures}/{name}.png", full_page=True, animations="disabled")
    results = await Axe().run(page)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"
    await page.evaluate(WIDEST_IDS)
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, f"{name} scrolls sideways by {width} px"

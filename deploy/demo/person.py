"""A person at a door: pages are fetched, forms are filled in as they stand on the page, links are followed."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx2


class Unexpected(Exception):
    """A door answered otherwise than this person expected; the text names path and status."""


@dataclass
class PageForm:
    """A form on a page."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.forms.append(PageForm(found.get("action") or ""))
        elif tag == "input" and found.get("type") == "hidden" and self.forms:
            self.forms[-1].hidden[found.get("name") or ""] = found.get("value") or ""


def forms(page: str) -> list[PageForm]:
    """The forms of a page, in order."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


class Person:
    """One person's browser at one door."""

    PATIENCE_SECONDS: ClassVar[float] = 45.0
    """How long a person asks again where a door asks for patience."""

    def __init__(self, door: str, language: str = "fa") -> None:
        headers = {"Accept": "text/html", "Accept-Language": language}
        self.tried_again = 0
        self._client = httpx2.AsyncClient(base_url=door, headers=headers, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.aclose()

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this browser holds for the door."""
        return dict(self._client.cookies)

    async def get(self, path: str, *, expect: int = 200, accept: str = "text/html") -> httpx2.Response:
        """Open a page. Raises Unexpected."""
        answer = await self._patiently("GET", path, headers={"Accept": accept})
        if answer.status_code != expect:
            raise Unexpected(f"GET {path}: {answer.status_code}")
        return answer

    async def look(self, path: str, wanted: str) -> httpx2.Response | None:
        """Turn the pages of the list at `path` until one shows `wanted`, a pattern; None when none does. Raises Unexpected."""
        while path:
            page = await self.get(path)
            if re.search(wanted, page.text):
                return page
            onward = re.search(r'rel="next" href="([^"]+)"', page.text)
            path = html.unescape(onward[1]) if onward else ""
        return None

    async def may_open(self, path: str) -> bool:
        """Whether this person may open a page (200) or not (403). Raises Unexpected on any other answer."""
        answer = await self._patiently("GET", path)
        if answer.status_code not in (200, 403):
            raise Unexpected(f"GET {path}: {answer.status_code}")
        return bool(answer.status_code == 200)

    async def send(
        self,
        page: httpx2.Response,
        action: str,
        values: Mapping[str, Any] | None = None,
        files: Sequence[tuple[str, tuple[str, bytes, str]]] = (),
        *,
        expect: int = 200,
    ) -> httpx2.Response:
        """Fill in and send the form of `page` whose action ends with `action`. Raises Unexpected."""
        form = next((each for each in forms(page.text) if each.action.endswith(action)), None)
        if form is None:
            raise Unexpected(f"no form {action} on {page.url.path}")
        data = {**form.hidden, **(values or {})}
        answer = await self._patiently("POST", form.action, data=data, files=list(files) or None)
        if answer.status_code != expect:
            raise Unexpected(f"POST {form.action}: {answer.status_code}")
        return answer

    async def _patiently(self, method: str, path: str, **what: Any) -> httpx2.Response:
        """Try again what a door could not answer at once, as people do; the key in the form makes that safe.

        A 500 is a fault and is never tried again: it would be hidden.
        """
        end = time.monotonic() + self.PATIENCE_SECONDS
        while True:
            try:
                answer = await self._client.request(method, path, **what)
                if answer.is_redirect:
                    # The page after a redirect is requested separately: after a lost answer a form must not be sent again.
                    method, path, what = "GET", str(answer.url.join(answer.headers["location"])), {}
                    continue
                if answer.status_code not in (502, 503, 504) or time.monotonic() > end:
                    return answer
            except httpx2.TransportError:
                if time.monotonic() > end:
                    raise
            self.tried_again += 1
            await asyncio.sleep(0.3)  # retries until the deadline

    async def sign_in(self, username: str, password: str) -> Self:
        """Sign in as staff."""
        page = await self.get("/sign-in")
        await self.send(page, "/sign-in", {"username": username, "password": password})
        return self


def tracking_code(page: str) -> str:
    """The tracking code on a page."""
    found = re.search(r"PK-[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{3}", page)
    if found is None:
        raise Unexpected("no tracking code on the page")
    return found.group()


def case_id(answer: httpx2.Response) -> str:
    """The case id in the address of a page."""
    return answer.url.path.rpartition("/")[2]

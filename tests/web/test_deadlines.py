"""No request hangs: what takes too long is broken off and said; a silent client does not hold a door, and a slow one may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import StreamingResponse

from caselog.append import LogUnavailable, NotTaken
from chassis.refusal import NoRoom
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.csrf import form_cookie, form_token
from tests.web.demo import browser

PAGE_SECONDS = 0.4
CLIENT_SECONDS = 0.8
router = APIRouter()


@router.get("/api/never")
@router.get("/never")
async def never() -> None:
    await asyncio.Event().wait()


@router.put("/api/take")
async def take(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@router.get("/api/stream")
async def stream() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(PAGE_SECONDS / 4)  # slower in all than a page may be, never silent for as long
            yield b"x"

    return StreamingResponse(pieces())


@router.get("/api/stuck")
async def stuck() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    return StreamingResponse(pieces())


@router.get("/api/refuse/{how}")
async def refuse(how: str) -> None:
    raise {"full": NotTaken("full"), "away": LogUnavailable("away"), "room": NoRoom(), "disk": OSError(28, "No space left")}[how]


def house() -> FastAPI:
    """An application whose pages have little time."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    async def ready(_: FastAPI) -> dict[str, bool]:
        return {}

    return create_web_app(
        service="demo", title="Review", settings=Settings(), lifespan=lifespan, routers=(router,), package=Path(__file__).parent,
        ready=ready, page_seconds=PAGE_SECONDS, client_seconds=CLIENT_SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize(("path", "accept"), [("/never", "text/html"), ("/api/never", "application/json")])
async def test_what_takes_too_long_is_broken_off_and_said_with_when_to_try_again(path: str, accept: str) -> None:
    began = time.monotonic()
    async with browser(house(), "fa", accept) as client, asyncio.timeout(20):
        answer = await client.get(path)
    assert time.monotonic() - began >= PAGE_SECONDS
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "رها شد" in answer.text
    if accept == "text/html":
        assert "دوباره بفرستید" in answer.text
    else:
        assert answer.json()["type"] == "urn:parvandeh:problem:took_too_long"


async def upload(pause: float, pieces: int) -> httpx2.Response:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            await asyncio.sleep(pause)
            yield b"x" * 10

    headers = {"x-csrf-token": form_token("bound"), "content-type": "application/octet-stream"}
    async with browser(house()) as client, asyncio.timeout(20):
        client.cookies.set(form_cookie("demo"), "bound")
        return await client.put("/api/take", content=body(), headers=headers)


async def test_an_upload_may_take_longer_than_a_page_as_long_as_it_goes_on() -> None:
    answer = await upload(PAGE_SECONDS / 2, 5)
    assert (answer.status_code, answer.json()) == (200, {"bytes": 50})


async def test_a_client_who_falls_silent_is_told_and_lets_the_door_go() -> None:
    answer = await upload(60, 1)
    assert (answer.status_code, answer.json()["type"]) == (408, "urn:parvandeh:problem:nothing_arrived")


async def test_an_answer_may_stream_for_long_but_never_stands_still() -> None:
    async with browser(house()) as client, asyncio.timeout(20):
        assert (await client.get("/api/stream")).content == b"x" * 8
        began = time.monotonic()
        assert (await client.get("/api/stuck")).content == b"x"
        assert time.monotonic() - began >= PAGE_SECONDS


@pytest.mark.parametrize(
    ("how", "code"), [("full", "not_now"), ("away", "log_unavailable"), ("room", "no_room"), ("disk", "no_room")]
)
async def test_what_cannot_be_taken_now_is_a_503_that_says_whether_it_may_have_an_effect(how: str, code: str) -> None:
    async with browser(house()) as client:
        answer = await client.get(f"/api/refuse/{how}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["type"] == f"urn:parvandeh:problem:{code}"
    assert answer.headers["content-type"] == "application/problem+json"

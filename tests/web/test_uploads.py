"""A part of a form never stands on a disk in clear, comes back as it was sent, and is gone with its request."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.exceptions import InvalidTag
from fastapi import APIRouter, FastAPI
from starlette.datastructures import UploadFile
from starlette.requests import Request

from chassis.web.uploads import CHUNK, FIELD_BYTES, SealedSpool, UploadRoute
from services.intake.pages import ROUTERS
from services.intake.pages.shared import FORM_BYTES

Unnamed = Callable[[], list[bytes]]
CANARY = b"canary-of-kenarsari "


def handles() -> Iterator[Path]:
    """Unnamed temporary files of this process."""
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if os.readlink(link).startswith(tempfile.gettempdir()) and "(deleted)" in os.readlink(link):
                yield link


@pytest.fixture
def unnamed() -> Unnamed:
    """What the unnamed temporary files that this test makes hold on the disk; pytest has some of its own."""
    before = set(handles())
    return lambda: [link.read_bytes() for link in handles() if link not in before]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_a_spool_gives_back_what_was_written_in_pieces_of_any_size_and_keeps_none_of_it_in_clear(
    size: int, unnamed: Unnamed
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    content = (CANARY * (size // len(CANARY) + 1))[:size]
    spool, written = SealedSpool(), 0
    while written < size:
        written += spool.write(content[written : written + dice.randint(1, 2 * CHUNK)])
    for _ in range(2):
        assert spool.seek(0) == spool.tell() == 0
        parts = []
        while piece := spool.read(dice.randint(1, 2 * CHUNK)):
            parts.append(piece)
        assert b"".join(parts) == content
    spool.seek(0)
    assert spool.read() == content
    disk = unnamed()
    assert sum(map(len, disk)) == (max(size - 1, 0) // CHUNK) * (CHUNK + 16)
    assert not any(CANARY in each for each in disk)
    spool.close()
    assert unnamed() == []


def test_what_the_disk_altered_is_not_read() -> None:
    spool = SealedSpool()
    spool.write(bytes(3 * CHUNK))
    assert spool._disk is not None
    file = spool._disk[1]
    file.seek(CHUNK + 100)
    file.write(b"x")
    spool.seek(0)
    with pytest.raises(InvalidTag):
        spool.read()
    spool.close()


def application(unnamed: Unnamed) -> tuple[FastAPI, list[Any]]:
    seen: list[Any] = []
    router = APIRouter(route_class=UploadRoute)

    @router.post("/papers")
    async def papers(request: Request) -> dict[str, int]:
        form = await request.form()
        seen.append(unnamed())
        files = [each for each in form.values() if isinstance(each, UploadFile)]
        seen.append([await each.read() for each in files])
        return {"files": len(files)}

    app = FastAPI()
    app.include_router(router)
    return app, seen


def client(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://demo")


async def test_a_large_part_of_a_form_is_on_the_disk_sealed_and_gone_after_the_answer(unnamed: Unnamed) -> None:
    app, seen = application(unnamed)
    content = CANARY * 200_000
    async with client(app) as browser:
        files = [("a", ("a.pdf", content)), ("b", ("b.pdf", content[:100]))]
        assert (await browser.post("/papers", files=files)).json() == {"files": 2}
    disk, read = seen
    assert read == [content, content[:100]]
    assert sum(map(len, disk)) > len(content) - CHUNK
    assert not any(CANARY in each for each in disk)
    assert unnamed() == []


async def test_a_cut_upload_leaves_nothing(unnamed: Unnamed) -> None:
    app, seen = application(unnamed)

    async def cut() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n' + CANARY * 200_000
        yield CANARY * 10_000
        assert sum(map(len, unnamed())) > 1_000_000
        raise ConnectionResetError

    async with client(app) as browser:
        with pytest.raises(ConnectionResetError):
            await browser.post("/papers", content=cut(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert seen == []
    assert unnamed() == []


@pytest.mark.parametrize(
    "parts",
    [
        [("f", (None, b"x" * (FIELD_BYTES + 1)))],
        [(f"f{n}", (None, b"x")) for n in range(201)],
        [(f"f{n}", (f"{n}.pdf", b"x")) for n in range(41)],
    ],
    ids=["a long field", "many fields", "many files"],
)
async def test_what_stays_in_memory_is_bounded(parts: Any, unnamed: Unnamed) -> None:
    app, seen = application(unnamed)
    async with client(app) as browser:
        assert (await browser.post("/papers", files=parts)).status_code == 400
    assert seen == []


def test_every_route_of_intake_that_takes_more_than_a_small_body_takes_it_sealed() -> None:
    large = [
        route
        for router in ROUTERS
        for route in router.routes
        if "POST" in getattr(route, "methods", ()) and getattr(route, "path", "").startswith(("/new/", "/cases/"))
    ]
    assert len(large) >= 3
    assert FORM_BYTES > 1024 * 1024
    assert [route for route in large if not isinstance(route, UploadRoute)] == []

"""Notify's web door: what was told, what could not be, what is tried again, and parked work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import asyncpg
import orjson
from fastapi import Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis import senders
from chassis.agenda.worker import parked_items, release_item, trying_items
from chassis.refusal import refusals_in
from chassis.standing import Standing
from chassis.web.doors import require, signed_in
from chassis.web.pages import render
from chassis.web.parked import Sayings
from chassis.web.principal import Principal
from chassis.web.routes import routes
from services.notify import decide
from services.notify.read import Messages

router = routes()
OPERATOR = "operator"
REFUSALS = (*refusals_in(decide), *refusals_in(senders))
"""Why a message may not be sent."""


@dataclass(frozen=True)
class Room:
    """The service behind a request."""

    here: Standing
    messages: Messages


@router.get("/")
async def overview(request: Request) -> HTMLResponse | RedirectResponse:
    principal = signed_in(request)
    if principal is None or principal.role != OPERATOR:
        return RedirectResponse("/sign-in", 303)
    room: Room = request.app.state.room
    return render(
        request,
        "messages.html",
        latest=await room.messages.latest(),
        totals=await room.messages.totals(),
        parked=[(item, _template(item)) for item in await parked_items(room.here.own)],
        trying=[(item, _template(item)) for item in await trying_items(room.here.own)],
        said=Sayings(request, REFUSALS),
    )


def _template(item: asyncpg.Record) -> str:
    """Which message an item of the agenda is."""
    found: str = orjson.loads(item["details"]).get("template", "")  # one odd row must not hide the others
    return found


@router.post("/release")
async def release(
    request: Request, item: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")], principal: Principal = require(OPERATOR)
) -> RedirectResponse:
    room: Room = request.app.state.room
    await release_item(room.here.own, bytes.fromhex(item))
    return RedirectResponse("/", 303)

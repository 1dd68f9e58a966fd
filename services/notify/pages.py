"""Notify's web door: what was told, what could not be, what is tried again, and parked work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.agenda.worker import parked_items, release_item, trying_items
from chassis.standing import Standing
from chassis.web.doors import require, signed_in
from chassis.web.pages import render
from chassis.web.principal import Principal
from chassis.web.routes import routes
from services.notify.read import Messages

router = routes()
OPERATOR = "operator"


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
        parked=await parked_items(room.here.own),
        trying=await trying_items(room.here.own),
    )


@router.post("/release")
async def release(
    request: Request, item: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")], principal: Principal = require(OPERATOR)
) -> RedirectResponse:
    room: Room = request.app.state.room
    await release_item(room.here.own, bytes.fromhex(item))
    return RedirectResponse("/", 303)

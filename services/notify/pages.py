"""Notify's pages: messages sent, messages that failed or are being retried, and parked work."""

from __future__ import annotations

from typing import Annotated

import asyncpg
import orjson
from fastapi import Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.eventing.agenda.worker import parked_items, release_item, trying_items
from chassis.principal import Principal
from chassis.refusal import refusals_in
from chassis.runtime import message_gateway
from chassis.web.auth import require, signed_in
from chassis.web.pages import render
from chassis.web.parked_work import ParkedWorkPage
from chassis.web.routes import routes
from services.notify import decide
from services.notify.deps import deps

router = routes()
OPERATOR = "operator"
REFUSALS = (*refusals_in(decide), *refusals_in(message_gateway))
"""Why a message may not be sent."""


@router.get("/")
async def overview(request: Request) -> HTMLResponse | RedirectResponse:
    principal = signed_in(request)
    if principal is None or principal.role != OPERATOR:
        return RedirectResponse("/sign-in", 303)
    return render(
        request,
        "messages.html",
        latest=await deps(request).queries.latest(),
        totals=await deps(request).queries.totals(),
        parked=[(item, _template(item)) for item in await parked_items(deps(request).container.db)],
        trying=[(item, _template(item)) for item in await trying_items(deps(request).container.db)],
        said=ParkedWorkPage(request, REFUSALS),
    )


def _template(item: asyncpg.Record) -> str:
    """Which message an item of the agenda is."""
    found: str = orjson.loads(item["details"]).get("template", "")  # one broken row must not hide the others
    return found


@router.post("/release")
async def release(
    request: Request, item: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")], principal: Principal = require(OPERATOR)
) -> RedirectResponse:
    await release_item(deps(request).container.db, bytes.fromhex(item))
    return RedirectResponse("/", 303)

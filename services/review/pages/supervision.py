"""The supervisor's list: passed deadlines, cases without a reviewer, suspended cases, parked work."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.agenda.worker import parked_items, release_item
from chassis.refusal import refusals_in
from chassis.web.doors import once, require
from chassis.web.pages import render
from chassis.web.parked import Sayings
from chassis.web.principal import Principal
from chassis.web.problems import NotFound
from chassis.web.routes import refuses, routes
from schemas.catalogue import catalogue
from schemas.labels import labels
from services.review import refusals
from services.review.commands import ResumeCase
from services.review.pages.room import command_id, room

router = routes()
SUPERVISOR = "supervisor"


@router.get("/supervision")
async def overview(request: Request, principal: Principal = require(SUPERVISOR)) -> HTMLResponse:
    cases, here = room(request).cases, room(request).here
    parked, streams = await parked_items(here.own), await here.inbox.parked()
    return render(
        request,
        "supervision.html",
        escalations=await cases.escalations(),
        undrawn=await cases.undrawn(),
        suspended=await cases.suspended(),
        desks=await cases.desks(),
        parked=parked,
        parked_streams=streams,
        named=await cases.named([*(item["stream"] for item in parked), *(each.stream for each in streams)]),
        said=Sayings(request, refusals_in(refusals)),
        types=catalogue().types,
        codes=catalogue().codes,
        labels=labels(),
    )


@router.post("/supervision/resume/{case_id}")
async def resume(
    request: Request,
    case_id: str,
    reason: Annotated[str, Form(max_length=60)],
    principal: Principal = require(SUPERVISOR),
    key: str = Depends(once),
) -> RedirectResponse:
    stream = f"case:{case_id}"
    this = command_id(principal, "/resume", stream, key)
    await room(request).handling.by_person(ResumeCase(reason=reason), principal, stream=stream, command_id=this)
    return RedirectResponse("/supervision", 303)


@router.post("/supervision/release")
async def release(
    request: Request, item: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")], principal: Principal = require(SUPERVISOR)
) -> RedirectResponse:
    await release_item(room(request).here.own, bytes.fromhex(item))
    return RedirectResponse("/supervision", 303)


@router.post("/supervision/release-stream")
@refuses(NotFound)
async def release_stream(
    request: Request,
    reader: Annotated[str, Form(max_length=40)],
    stream: Annotated[str, Form(max_length=100)],
    principal: Principal = require(SUPERVISOR),
) -> RedirectResponse:
    if reader not in room(request).here.inbox.shelves:
        raise NotFound
    await room(request).here.inbox.release(reader, stream)
    return RedirectResponse("/supervision", 303)

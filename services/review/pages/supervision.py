"""The supervisor's list: passed deadlines, cases without a reviewer, suspended cases, parked work."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.eventing.agenda.worker import parked_items, release_item
from chassis.eventing.projections.paging import Page
from chassis.principal import Principal
from chassis.refusal import NotBegun, refusals_in
from chassis.web.auth import idempotency_key, require
from chassis.web.pages import render
from chassis.web.parked_work import ParkedWorkPage
from chassis.web.problems import NotFound
from chassis.web.routes import may_refuse, routes
from schemas.catalogue import catalogue
from schemas.labels import labels
from services.review import refusals
from services.review.commands import ResumeCase
from services.review.deps import deps
from services.review.pages.shared import WAIT_SECONDS

router = routes()
SUPERVISOR = "supervisor"


@router.get("/supervision")
async def overview(request: Request, principal: Principal = require(SUPERVISOR)) -> HTMLResponse:
    cases, container = deps(request).queries, deps(request).container
    parked, streams = await parked_items(container.db), await container.inbox.parked()
    return render(
        request,
        "supervision.html",
        escalations=await cases.escalations(),
        undrawn=await cases.undrawn(),
        suspended=await cases.suspended(),
        counts=await cases.supervised(),
        desks=await cases.desks(),
        parked=parked,
        parked_streams=streams,
        named=await cases.named([*(item["stream"] for item in parked), *(each.stream for each in streams)]),
        said=ParkedWorkPage(request, refusals_in(refusals)),
        types=catalogue().types,
        codes=catalogue().codes,
        labels=labels(),
    )


@router.get("/supervision/escalations")
async def escalations(request: Request, after: str = "", principal: Principal = require(SUPERVISOR)) -> HTMLResponse:
    return await _list(request, "escalations", await deps(request).queries.escalations(after), after)


@router.get("/supervision/undrawn")
async def undrawn(request: Request, after: str = "", principal: Principal = require(SUPERVISOR)) -> HTMLResponse:
    return await _list(request, "undrawn", await deps(request).queries.undrawn(after), after)


@router.get("/supervision/suspended")
async def suspended(request: Request, after: str = "", principal: Principal = require(SUPERVISOR)) -> HTMLResponse:
    return await _list(request, "suspended", await deps(request).queries.suspended(after), after)


async def _list(request: Request, name: str, page: Page, after: str) -> HTMLResponse:
    """A page of one list of the overview; all entries can be reached here."""
    return render(
        request,
        "supervised_list.html",
        list=name,
        page=page,
        after=after,
        counts=await deps(request).queries.supervised(),
        types=catalogue().types,
        codes=catalogue().codes,
        labels=labels(),
    )


@router.post("/supervision/resume/{case_id}")
async def resume(
    request: Request,
    case_id: str,
    reason: Annotated[str, Form(max_length=60)],
    listed: Annotated[bool, Form()] = False,
    after: Annotated[str, Form(max_length=100)] = "",
    principal: Principal = require(SUPERVISOR),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    """Resume the case and return to the page of the form: the overview, or the list's own page (`listed`) after `after`."""
    stream = f"case:{case_id}"
    done = await deps(request).handler.execute(ResumeCase(reason=reason), by=principal, on=stream, key=key)
    # The list that follows no longer shows the case: who sees it again would send its form again.
    await deps(request).container.inbox.wait("cases", done.events[-1].position, stream, WAIT_SECONDS)
    behind = f"?{urlencode({'after': after})}" if after else ""
    return RedirectResponse(f"/supervision/suspended{behind}" if listed else "/supervision", 303)


@router.post("/supervision/release")
async def release(
    request: Request, item: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")], principal: Principal = require(SUPERVISOR)
) -> RedirectResponse:
    await release_item(deps(request).container.db, bytes.fromhex(item))
    return RedirectResponse("/supervision", 303)


@router.post("/supervision/release-stream")
@may_refuse(NotFound, NotBegun)
async def release_stream(
    request: Request,
    reader: Annotated[str, Form(max_length=40)],
    stream: Annotated[str, Form(max_length=100)],
    principal: Principal = require(SUPERVISOR),
) -> RedirectResponse:
    if reader not in deps(request).container.inbox.stores:
        raise NotFound
    await deps(request).container.inbox.release(reader, stream)
    return RedirectResponse("/supervision", 303)

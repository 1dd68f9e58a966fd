"""The desk of a counter office: its own requests, the messages about them, and what it opens for an applicant who is present.

An office sees the status of its own filings (domain.md, roles). What is the applicant's alone (the note of a question, the
certificate) it opens only while serving them, and each such opening is a fact.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Form
from pydantic import AwareDatetime
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.principal import Principal
from chassis.web.auth import idempotency_key, require
from chassis.web.pages import render
from chassis.web.routes import Download, routes
from chassis.web.uploads import UploadRoute
from schemas.catalogue import catalogue
from services.intake.commands import OpenForApplicant
from services.intake.deps import deps
from services.intake.pages.cases import certificate, page
from services.intake.pages.shared import own_case
from services.intake.read import Case

router = routes(UploadRoute)
OPERATOR = "office_operator"


@router.get("/office")
async def filings(request: Request, before: str = "", principal: Principal = require(OPERATOR)) -> HTMLResponse:
    office, cases = principal.office or "", deps(request).queries
    notices, unread = await cases.of_office_told(office)
    return render(
        request,
        "office.html",
        filed=await cases.of_office(office, before),
        before=before,
        notices=notices,
        unread=unread,
        office=await cases.office(office),
        until=(notices[0]["sent_at"] if notices else await deps(request).container.log.now()).isoformat(),
        types=catalogue().types,
    )


@router.post("/office/notices/seen")
async def seen(
    request: Request, until: Annotated[AwareDatetime, Form()], principal: Principal = require(OPERATOR)
) -> RedirectResponse:
    """Marks what the page showed as read; what arrived in the meantime stays unread."""
    await deps(request).queries.see_all(principal.office or "", until)
    return RedirectResponse("/office", 303)


@router.post("/cases/{case_id}/note")
async def note(
    request: Request, case_id: str, principal: Principal = require(OPERATOR), key: str = Depends(idempotency_key)
) -> HTMLResponse:
    case = await own_case(request, case_id, principal)
    await _open(request, case, "note", principal, key)
    return await page(request, case, principal, with_note=True)


@router.post("/cases/{case_id}/certificate")
async def hand_over(
    request: Request, case_id: str, principal: Principal = require(OPERATOR), key: str = Depends(idempotency_key)
) -> Download:
    case = await own_case(request, case_id, principal)
    await _open(request, case, "certificate", principal, key)
    return await certificate(request, case)


async def _open(request: Request, case: Case, what: Literal["note", "certificate"], principal: Principal, key: str) -> None:
    """The opening is in the log before anything is shown. Raises NothingAsked, UnknownDocument."""
    await deps(request).handler.execute(OpenForApplicant(what=what), by=principal, on=case.stream, key=key)

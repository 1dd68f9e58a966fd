"""The audit desk: find a case, read its timeline as page, JSON or text, with clocks, draws and chain recomputed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from caselog.timeline import as_text
from chassis.principal import Principal
from chassis.web.auth import require, signed_in
from chassis.web.pages import render
from chassis.web.problems import NotFound, refused
from chassis.web.routes import may_refuse, routes
from schemas.catalogue import catalogue
from schemas.draws import odds
from services.audit.deps import deps
from services.audit.read import Report, TimelineReport
from services.audit.registration import AUDITOR

router = routes()


@router.get("/")
@may_refuse(NotFound)
async def desk(request: Request, q: str = "") -> HTMLResponse | RedirectResponse:
    principal = signed_in(request)
    if principal is None or principal.role != AUDITOR:
        return RedirectResponse("/sign-in", 303)
    audit = deps(request).queries
    found = await audit.find(q) if q else None
    if found:
        return RedirectResponse(f"/cases/{found}", 303)
    page: dict[str, Any] = {"q": q[:80], "rows": await audit.latest(), "types": catalogue().types}
    if q:
        return refused(request, NotFound("q"), lambda: render(request, "find.html", 404, **page))
    return render(request, "find.html", **page)


async def _report(request: Request, case_id: str) -> Report:
    report = await deps(request).queries.report(case_id) if case_id.isalnum() else None
    if report is None:
        raise NotFound
    return report


@router.get("/cases/{case_id}")
async def show(request: Request, case_id: str, principal: Principal = require(AUDITOR)) -> HTMLResponse:
    report = await _report(request, case_id)
    spent = report.clocks.at(report.at)
    page: dict[str, Any] = {
        "report": report,
        "spent": spent,
        "odds": odds,
        "witnesses": deps(request).witnesses,
        "at": datetime.fromisoformat,
    }
    return render(request, "timeline.html", **page)


@router.get("/cases/{case_id}/timeline.json")
async def as_json(request: Request, case_id: str, principal: Principal = require(AUDITOR)) -> TimelineReport:
    return (await _report(request, case_id)).told()


@router.get("/cases/{case_id}/timeline.txt")
async def as_plain_text(request: Request, case_id: str, principal: Principal = require(AUDITOR)) -> PlainTextResponse:
    return PlainTextResponse(as_text((await _report(request, case_id)).entries) + "\n")

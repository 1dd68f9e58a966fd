"""Public pages: the landing page, the state of a tracking code, and whether a certificate is genuine."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse

from caselog.chain import compute_link
from chassis.privacy.tracking_codes import read_tracking_code
from chassis.web.auth import signed_in
from chassis.web.pages import render
from chassis.web.problems import NotFound, refused
from chassis.web.routes import ResponseModel, may_refuse, routes
from schemas.catalogue import catalogue
from schemas.envelope import Position
from schemas.facts.intake import CertificateIssued
from services.intake.deps import deps

router = routes()


@router.get("/")
async def landing(request: Request, before: str = "") -> HTMLResponse:
    """The door of everybody; a citizen's requests behind `before`, the one that ended the page before."""
    principal = signed_in(request)
    cases = deps(request).queries
    mine = await cases.mine(principal.subject, before) if principal and principal.role == "citizen" else None
    return render(request, "landing.html", mine=mine, before=before, types=catalogue().types, figures_of=await cases.figures())


@router.get("/track")
@may_refuse(NotFound)
async def track(request: Request, code: str = "") -> HTMLResponse:
    shown = read_tracking_code(code) if code else None
    row = await deps(request).queries.by_tracking_code(shown) if shown else None
    page: dict[str, Any] = {"code": code[:40], "row": row, "asked": bool(code), "types": catalogue().types}
    if code and row is None:
        return refused(request, NotFound("code"), lambda: render(request, "track.html", 404, **page))
    return render(request, "track.html", **page)


class Asked(BaseModel):
    """A tracking code."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    code: Annotated[str, Field(min_length=5, max_length=40)]


class Tracked(ResponseModel):
    """What anyone with the tracking code may know."""

    tracking_code: str
    request_type: str
    submitted_at: AwareDatetime
    changed_at: AwareDatetime
    ended: str | None
    """How the case ended; null while it runs."""


@router.post("/api/track")
@may_refuse(NotFound)
async def track_api(request: Request, asked: Asked) -> Tracked:
    shown = read_tracking_code(asked.code)
    row = await deps(request).queries.by_tracking_code(shown) if shown else None
    if row is None:
        raise NotFound("code")
    return Tracked(
        tracking_code=row["tracking_code"],
        request_type=row["request_type"],
        submitted_at=row["submitted_at"],
        changed_at=row["changed_at"],
        ended=row["ended"],
    )


@router.get("/check")
@may_refuse(NotFound)
async def check_form(request: Request, code: str = "") -> HTMLResponse:
    if code:
        return await check(request, code)
    return render(request, "check.html", found=None, code="", asked=False, whole=False, kind=None)


@router.get("/check/{code}")
async def check(request: Request, code: str) -> HTMLResponse:
    """A certificate is genuine when its fact is in the log and the approval behind it is unchanged."""
    shown = read_tracking_code(code)
    row = await deps(request).queries.by_certificate(shown) if shown else None
    case = await deps(request).queries.load(row["stream"].removeprefix("case:")) if row else None
    if case is None:
        page: dict[str, Any] = {"found": None, "code": code[:40], "asked": True, "whole": False, "kind": None}
        return refused(request, NotFound("code"), lambda: render(request, "check.html", 404, **page))
    found = next(fact for _, fact in case.facts if isinstance(fact, CertificateIssued))
    approval = await deps(request).container.log.at(Position.parse(found.decided_at_position))
    whole = approval is not None and compute_link(approval).hex() == found.decided_link == approval.link.hex()
    kind = catalogue().types[case.state.request_type]
    return render(
        request, "check.html", found=found, code=shown, asked=True, whole=whole, kind=kind, district=case.state.district
    )

"""My queue and the drawn case. No route here knows a name, a code, a number or an address of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Form
from pydantic import AwareDatetime
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.eventing.commands.ids import http_command
from chassis.principal import Principal
from chassis.web.auth import idempotency_key, require, signed_in
from chassis.web.pages import render
from chassis.web.problems import NotFound
from chassis.web.routes import Download, ResponseModel, idempotency_key_in_link, may_refuse, routes
from schemas.catalogue import catalogue
from schemas.clocks import Holder
from schemas.facts import inquiry, intake
from schemas.facts import review as facts
from schemas.labels import label
from services.review import commands as c
from services.review.deps import deps
from services.review.pages.shared import WAIT_SECONDS
from services.review.read import Case
from services.review.refusals import NotYourCase

router = routes()
REVIEWER = "reviewer"
_BY_GRADE = {1: (), 2: ("registry_plate", "renewal_code"), 3: ("registry_plate", "renewal_code", "address")}
"""The property details that a reviewer sees, by the type's published blindness grade."""


@router.get("/")
async def first(request: Request) -> RedirectResponse:
    principal = signed_in(request)
    if principal is None:
        return RedirectResponse("/sign-in", 303)
    return RedirectResponse("/supervision" if principal.role == "supervisor" else "/queue", 303)


@router.get("/queue")
async def queue(request: Request, principal: Principal = require(REVIEWER)) -> HTMLResponse:
    rows = await deps(request).queries.queue(principal.subject)
    return render(request, "queue.html", rows=rows, types=catalogue().types)


class Task(ResponseModel):
    """A case drawn for the reviewer: nothing in it identifies the applicant."""

    case: str
    request_type: str
    stage: str
    district: int
    due_at: AwareDatetime | None
    correction_open: bool
    open_inquiries: int
    suspended: bool


@router.get("/api/queue")
async def queue_api(request: Request, principal: Principal = require(REVIEWER)) -> list[Task]:
    return [
        Task(
            case=row["stream"].removeprefix("case:"),
            request_type=row["request_type"],
            stage=row["stage"],
            district=row["district"],
            due_at=row["due_at"],
            correction_open=row["correction"],
            open_inquiries=len(row["inquiries"]),
            suspended=row["suspended"],
        )
        for row in await deps(request).queries.queue(principal.subject)
    ]


async def _drawn(request: Request, case_id: str, principal: Principal) -> tuple[Case, str]:
    case = await deps(request).queries.load(case_id)
    if case is None or not case.state.request_type or not case.state.round:
        raise NotFound
    alias = deps(request).queries.alias_in(principal.subject, case.stream, case.state)
    if case.state.drawn != alias:
        raise NotYourCase
    return case, alias


@router.get("/cases/{case_id}")
@may_refuse(NotYourCase)
async def closed(request: Request, case_id: str, principal: Principal = require(REVIEWER)) -> HTMLResponse:
    case, _ = await _drawn(request, case_id, principal)
    return render(request, "case_closed.html", case=case, kind=catalogue().types[case.state.request_type])


@router.post("/cases/{case_id}/open")
async def opened(
    request: Request, case_id: str, principal: Principal = require(REVIEWER), key: str = Depends(idempotency_key)
) -> HTMLResponse:
    """Show the material: the opening is in the log before anything is shown."""
    case, _ = await _drawn(request, case_id, principal)
    kind = catalogue().types[case.state.request_type]
    shown = _BY_GRADE[kind.blindness_grade]
    command = c.OpenMaterial(what=("documents", *shown), reason="review")
    await deps(request).handler.execute(command, by=principal, on=case.stream, key=key)
    return render(request, "case_open.html", case=case, kind=kind, key=key, **await _material(request, case, shown))


async def _material(request: Request, case: Case, shown: tuple[str, ...]) -> dict[str, Any]:
    container, lang = deps(request).container, request.state.language
    recorded, submitted = case.facts[0]
    if not isinstance(submitted, intake.CaseSubmitted):
        raise NotFound
    sealed = await container.vault.open(recorded, "property", submitted.property) if shown else {}
    answers = []
    for each, fact in case.facts:
        if isinstance(fact, intake.CorrectionAnswered):
            answers.append(
                {"words": label(each.type, lang), "text": (await container.vault.open(each, "answer", fact.answer))["text"]}
            )
        if isinstance(fact, inquiry.InquiryAnswered):
            note = (await container.vault.open(each, "note", fact.note))["text"] if fact.note else ""
            answers.append({"words": catalogue().codes["answers"][fact.answer].label(lang), "text": note})
    released = [fact for _, fact in case.facts if isinstance(fact, intake.DocumentReleased)]
    return {
        "property": {key: value for key, value in sealed.items() if key in shown},
        "details": submitted.details,
        "answers": answers,
        "released": [{"id": each.document_id, "kind": each.copy_of.kind} for each in released],
        "asked": [(fact.inquiry_id, fact.agency) for _, fact in case.facts if isinstance(fact, facts.InquiryRequested)],
        "codes": catalogue().codes,
        "holder": case.state.clocks.holder or Holder.CITY,
        "steps": [(label(each.type, lang), each.recorded_at) for each, _ in case.facts if not each.type.startswith("message.")],
    }


@router.get("/cases/{case_id}/documents/{document_id}")
async def released_copy(
    request: Request,
    case_id: str,
    document_id: str,
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key_in_link),
) -> Download:
    case, _ = await _drawn(request, case_id, principal)
    found = [f for _, f in case.facts if isinstance(f, intake.DocumentReleased) and f.document_id == document_id]
    if not found:
        raise NotFound
    command = c.OpenMaterial(what=(document_id,), reason="review")
    await deps(request).handler.execute(command, by=principal, on=case.stream, key=key)
    copy = found[-1].copy_of
    return Download(deps(request).container.document_store.get(copy), copy.media_type, copy.kind)


async def _do(
    request: Request,
    case_id: str,
    principal: Principal,
    key: str,
    seen: int | None,
    command: Callable[[str], c.ReviewCommand],
) -> RedirectResponse:
    case = await deps(request).queries.load(case_id)
    if case is None or not case.state.request_type:
        raise NotFound
    alias = deps(request).queries.alias_in(principal.subject, case.stream, case.state)
    made = command(alias)
    done = await deps(request).handler.execute(made, by=principal, on=case.stream, key=key, expected_by_page=seen)
    # The queue that follows shows what was just decided; a slow projection only shows it later.
    await deps(request).container.inbox.wait("cases", done.events[-1].position, case.stream, WAIT_SECONDS)
    return RedirectResponse("/queue", 303)


Seen = Annotated[int, Form(ge=1)]
Note = Annotated[str, Form(max_length=2000)]
Codes = Annotated[list[str], Form(max_length=10)]
Code = Annotated[str, Form(max_length=60)]


@router.post("/cases/{case_id}/approve")
async def approve(
    request: Request,
    case_id: str,
    seen: Seen,
    conditions: Codes = [],  # noqa: B006 - FastAPI copies it
    note: Note = "",
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    def command(reviewer: str) -> c.ReviewCommand:
        return c.ApproveCase(reviewer=reviewer, conditions=tuple(conditions), note=note)

    return await _do(request, case_id, principal, key, seen, command)


@router.post("/cases/{case_id}/reject")
async def reject(
    request: Request,
    case_id: str,
    seen: Seen,
    reasons: Codes = [],  # noqa: B006 - FastAPI copies it
    note: Note = "",
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    def command(reviewer: str) -> c.ReviewCommand:
        return c.RejectCase(reviewer=reviewer, reasons=tuple(reasons), note=note)

    return await _do(request, case_id, principal, key, seen, command)


@router.post("/cases/{case_id}/correct")
async def correct(
    request: Request,
    case_id: str,
    seen: Seen,
    reasons: Codes = [],  # noqa: B006 - FastAPI copies it
    note: Note = "",
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    def command(reviewer: str) -> c.ReviewCommand:
        return c.RequestCorrection(reviewer=reviewer, reasons=tuple(reasons), note=note)

    return await _do(request, case_id, principal, key, seen, command)


def inquiry_id_of(principal: Principal, case_id: str, key: str) -> str:
    """The id of the inquiry that a request starts (16 hex digits), derived from the request's key: a repeat asks only once."""
    return http_command("review", principal.subject, "/inquiry-id", case_id, key).hex()[:16]


@router.post("/cases/{case_id}/inquire")
async def inquire(
    request: Request,
    case_id: str,
    seen: Seen,
    agency: Code,
    question: Code,
    note: Note = "",
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    inquiry_id = inquiry_id_of(principal, case_id, key)

    def command(reviewer: str) -> c.ReviewCommand:
        return c.RequestInquiry(reviewer=reviewer, inquiry_id=inquiry_id, agency=agency, question=question, note=note)

    return await _do(request, case_id, principal, key, seen, command)


@router.post("/cases/{case_id}/take-back")
async def take_back(
    request: Request,
    case_id: str,
    inquiry_id: Code,
    reason: Code,
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    def command(reviewer: str) -> c.ReviewCommand:
        return c.WithdrawInquiry(reviewer=reviewer, inquiry_id=inquiry_id, reason=reason)

    return await _do(request, case_id, principal, key, None, command)


@router.post("/cases/{case_id}/suspend")
async def suspend(
    request: Request,
    case_id: str,
    seen: Seen,
    reason: Code,
    principal: Principal = require(REVIEWER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    return await _do(request, case_id, principal, key, seen, lambda me: c.SuspendCase(reviewer=me, reason=reason))


@router.post("/cases/{case_id}/refuse")
async def refuse(
    request: Request, case_id: str, reason: Code, principal: Principal = require(REVIEWER), key: str = Depends(idempotency_key)
) -> RedirectResponse:
    return await _do(request, case_id, principal, key, None, lambda me: c.RefuseAssignment(reviewer=me, reason=reason))

"""Inquiry's web doors: the questions to an agency, and its answers. An officer sees no more than the question needs."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.principal import Principal
from chassis.web.auth import idempotency_key, require, signed_in
from chassis.web.pages import render
from chassis.web.problems import NotFound
from chassis.web.routes import routes
from schemas.catalogue import catalogue
from schemas.facts import inquiry, intake, review
from services.inquiry.commands import AnswerInquiry, OpenQuestion
from services.inquiry.deps import deps
from services.inquiry.read import Case

router = routes()
OFFICER = "agency_officer"
WAIT_SECONDS = 2.0


@router.get("/")
async def desk(request: Request, after: str = "", before: str = "") -> HTMLResponse | RedirectResponse:
    """The two lists of an agency. Each is paged separately: `after` an open question, `before` an answered one."""
    principal = signed_in(request)
    if principal is None or principal.role != OFFICER:
        return RedirectResponse("/sign-in", 303)
    inquiries = deps(request).queries
    agency = principal.agency or ""
    waiting, answered = await inquiries.waiting(agency, after), await inquiries.answered(agency, before)
    return render(
        request,
        "desk.html",
        waiting=waiting,
        count=await inquiries.count_waiting(agency),
        answered=answered,
        after=after,
        before=before,
        later=_at(waiting.next, before),
        most_urgent=_at("", before),
        older=_at(after, answered.next),
        newest=_at(after, ""),
        types=catalogue().types,
        codes=catalogue().codes,
        agency=catalogue().codes["agencies"].get(agency),
    )


def _at(after: str, before: str) -> str:
    """The address of the desk with its two lists at these places: paging one leaves the other where it is."""
    places = {name: place for name, place in (("after", after), ("before", before)) if place}
    return f"/?{urlencode(places)}" if places else "/"


async def _asked(request: Request, case_id: str, inquiry_id: str, principal: Principal) -> Case:
    case = await deps(request).queries.load(case_id)
    asked = case.state.inquiries.get(inquiry_id) if case else None
    if case is None or asked is None or asked.agency != principal.agency or asked.due_at is None:
        raise NotFound
    return case


def _page(case: Case, inquiry_id: str) -> dict[str, Any]:
    """What the page of a question shows, sealed or not."""
    answers = (
        {"at": recorded.recorded_at, "answer": fact.answer}
        for recorded, fact in case.facts
        if isinstance(fact, inquiry.InquiryAnswered) and fact.inquiry_id == inquiry_id
    )
    return {
        "case_id": case.stream.removeprefix("case:"),
        "inquiry_id": inquiry_id,
        "asked": case.state.inquiries[inquiry_id],
        "answered": next(answers, None),
        "case": case,
        "codes": catalogue().codes,
    }


@router.get("/inquiries/{case_id}/{inquiry_id}")
async def closed(request: Request, case_id: str, inquiry_id: str, principal: Principal = require(OFFICER)) -> HTMLResponse:
    case = await _asked(request, case_id, inquiry_id, principal)
    return render(request, "question.html", opened=None, **_page(case, inquiry_id))


@router.post("/inquiries/{case_id}/{inquiry_id}/open")
async def opened(
    request: Request, case_id: str, inquiry_id: str, principal: Principal = require(OFFICER), key: str = Depends(idempotency_key)
) -> HTMLResponse:
    """Show what the agency needs of the property: the opening is in the log before anything is shown."""
    case = await _asked(request, case_id, inquiry_id, principal)
    command = OpenQuestion(agency=principal.agency or "", inquiry_id=inquiry_id, what=("registry_plate", "note"))
    await deps(request).handler.execute(command, by=principal, on=case.stream, key=key)
    vault = deps(request).container.vault
    recorded, submitted = case.facts[0]
    request_, question = next(
        (r, f) for r, f in case.facts if isinstance(f, review.InquiryRequested) and f.inquiry_id == inquiry_id
    )
    if not isinstance(submitted, intake.CaseSubmitted) or not isinstance(question, review.InquiryRequested):
        raise NotFound
    property_ = await vault.open(recorded, "property", submitted.property)
    note = (await vault.open(request_, "note", question.note))["text"] if question.note else ""
    shown = {"registry_plate": property_.get("registry_plate", ""), "note": note, "district": submitted.district}
    return render(request, "question.html", opened=shown, **_page(case, inquiry_id))


@router.post("/inquiries/{case_id}/{inquiry_id}/answer")
async def answer(
    request: Request,
    case_id: str,
    inquiry_id: str,
    answer: Annotated[str, Form(max_length=60)],
    note: Annotated[str, Form(max_length=2000)] = "",
    principal: Principal = require(OFFICER),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    case = await _asked(request, case_id, inquiry_id, principal)
    command = AnswerInquiry(agency=principal.agency or "", inquiry_id=inquiry_id, answer=answer, note=note)
    done = await deps(request).handler.execute(command, by=principal, on=case.stream, key=key)
    await deps(request).container.inbox.wait("inquiries", done.events[-1].position, case.stream, WAIT_SECONDS)
    return RedirectResponse("/", 303)

"""Filing: one form for all seven types, built from the catalogue, for citizens and counter offices."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.accounts.one_time_codes import subject_of
from chassis.eventing.processors.processor import Reach
from chassis.principal import Principal
from chassis.privacy.documents.store import TooLarge, WrongType
from chassis.web.auth import idempotency_key, require
from chassis.web.pages import render
from chassis.web.problems import refused, text_of
from chassis.web.routes import RefusedPage, accepts_form, may_refuse, routes
from chassis.web.uploads import UploadRoute
from schemas.catalogue import RequestType, Stored, catalogue
from schemas.envelope.identifiers import normalised
from schemas.facts.intake import Channel
from services.intake.commands import Contact, Identity, SubmitCase
from services.intake.decide.filing import WORDINGS, filable
from services.intake.deps import deps
from services.intake.pages.forms import filing_forms
from services.intake.pages.shared import Upload, uploads
from services.intake.pages.submit import Filing, submit_with_documents
from services.intake.refusals import InvalidField, UnknownDocument, UnknownRequestType, WrongPerson

router = routes(UploadRoute)
FILERS = ("citizen", "office_operator")
WAIT_SECONDS = 3.0


@router.get("/new")
async def kinds(request: Request, principal: Principal = require(*FILERS)) -> HTMLResponse:
    return render(request, "kinds.html", types=catalogue().types)


@router.get("/new/{kind}")
@may_refuse(UnknownRequestType)
async def form(request: Request, kind: str, principal: Principal = require(*FILERS)) -> HTMLResponse:
    if kind not in catalogue().types:
        raise UnknownRequestType
    return _form(request, catalogue().types[kind], {}, {})


@router.post("/new/{kind}")
@accepts_form(filing_forms)
async def file(
    request: Request, kind: str, principal: Principal = require(*FILERS), key: str = Depends(idempotency_key)
) -> RefusedPage | RedirectResponse:
    if kind not in catalogue().types:
        raise UnknownRequestType
    sent = await request.form()
    try:
        return await _file(request, catalogue().types[kind], sent, principal, key)
    except (InvalidField, UnknownDocument, TooLarge, WrongType) as refusal:
        values = {name: value for name, value in sent.items() if isinstance(value, str)}
        errors = {refusal.field or "": text_of(request, refusal)}
        status = refusal.status
        return refused(request, refusal, lambda: _form(request, catalogue().types[kind], values, errors, status))


async def _file(request: Request, kind: RequestType, sent: FormData, principal: Principal, key: str) -> RedirectResponse:
    handler = deps(request).handler
    case_id = handler.new_case(SubmitCase, by=principal, key=key)
    stream = f"case:{case_id}"
    files = await uploads(sent, kind.documents)
    command = _command(request, kind, sent, principal, stream, files)
    filing = Filing(command, files, by=principal, on=stream, key=key)
    reach = await submit_with_documents(deps(request), filing, check=lambda: filable(command), wait_seconds=WAIT_SECONDS)
    return RedirectResponse(f"/cases/{case_id}?filed={'yes' if reach is Reach.REACHED else 'late'}", 303)


def _command(
    request: Request, kind: RequestType, sent: FormData, principal: Principal, stream: str, files: list[Upload]
) -> SubmitCase:
    def text(name: str) -> str:
        value = sent.get(name, "")
        return value if isinstance(value, str) else ""

    vault = deps(request).container.vault
    code = normalised(text("national_code")).replace(" ", "")
    person = subject_of(vault.blind("national_code", code))
    if principal.role == "citizen" and person != principal.subject:
        raise WrongPerson("national_code")
    district = normalised(text("district"))
    by_office = principal.role == "office_operator"
    return SubmitCase(
        request_type=kind.key,
        channel=Channel.OFFICE if by_office else Channel.PORTAL,
        office=principal.office if by_office else None,
        district=int(district) if district.isascii() and district.isdigit() and len(district) < 4 else 0,
        applicant=vault.alias(person, stream),
        person=person,
        identity=Identity(national_code=code, name=text("name")),
        contact=Contact(mobile=normalised(text("mobile")).replace(" ", ""), email=text("email")),
        property={each.key: text(each.key) for each in kind.fields if each.stored is Stored.PROPERTY},
        details={each.key: text(each.key) for each in kind.fields if each.stored is Stored.CODED and text(each.key)},
        documents=tuple(each.filed for each in files),
        consent=text("consent") or None if by_office else None,
    )


def _form(request: Request, kind: RequestType, values: dict[str, Any], errors: dict[str, str], status: int = 200) -> HTMLResponse:
    page = {"kind": kind, "values": defaultdict(str, values), "errors": errors, "wording": WORDINGS[-1]}
    return render(request, "filing.html", status, **page)

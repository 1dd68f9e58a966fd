"""The identity desk: compares papers, asks for others, releases the reviewer's copies. Every opening is a fact."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.eventing.commands.handler import CommandResult
from chassis.principal import Principal
from chassis.web.auth import idempotency_key, require
from chassis.web.pages import render
from chassis.web.problems import NotFound
from chassis.web.routes import Download, idempotency_key_in_link, routes
from schemas.catalogue import catalogue
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.sealing import DataClass
from schemas.facts.intake import CaseSubmitted
from services.intake.commands import ConfirmIdentity, OpenPapers, QuestionIdentity, ReleaseDocument
from services.intake.deps import deps
from services.intake.pages.shared import DOCUMENT_BYTES, document, person_of, words_of
from services.intake.read import Case
from services.intake.strip_metadata import clean_copy

router = routes()
CLERK = "identity_clerk"
WAIT_SECONDS = 2.0


@router.get("/identity")
async def queue(request: Request, principal: Principal = require(CLERK)) -> HTMLResponse:
    rows, waiting = await deps(request).queries.for_clerks()
    return render(request, "identity_queue.html", rows=rows, waiting=waiting, types=catalogue().types)


@router.get("/identity/{case_id}")
async def closed(request: Request, case_id: str, principal: Principal = require(CLERK)) -> HTMLResponse:
    case = await _case(request, case_id)
    return render(request, "identity_closed.html", case=case, **words_of(case))


@router.post("/identity/{case_id}/open")
async def opened(
    request: Request, case_id: str, principal: Principal = require(CLERK), key: str = Depends(idempotency_key)
) -> HTMLResponse:
    """Show the sealed papers: the opening is in the log before anything is shown."""
    case = await _case(request, case_id)
    command = OpenPapers(what=("identity", "contact", "property"), reason="identity_check")
    await deps(request).handler.execute(command, by=principal, on=case.stream, key=key)
    recorded, fact = case.facts[0]
    if not isinstance(fact, CaseSubmitted):
        raise NotFound
    vault = deps(request).container.vault
    return render(
        request,
        "identity_open.html",
        case=case,
        identity=await vault.open(recorded, "identity", fact.identity),
        contact=await vault.open(recorded, "contact", fact.contact),
        property=await vault.open(recorded, "property", fact.property),
        key=key,
        **words_of(case),
    )


@router.get("/identity/{case_id}/documents/{document_id}")
async def paper(
    request: Request,
    case_id: str,
    document_id: str,
    principal: Principal = require(CLERK),
    key: str = Depends(idempotency_key_in_link),
) -> Download:
    case = await _case(request, case_id)
    if document_id not in case.state.documents:
        raise NotFound
    command = OpenPapers(what=(document_id,), reason="identity_check")
    await deps(request).handler.execute(command, by=principal, on=case.stream, key=key)
    return await document(request, case.state.documents[document_id])


@router.post("/identity/{case_id}/confirm")
async def confirm(
    request: Request,
    case_id: str,
    seen: Annotated[int, Form(ge=1)],
    principal: Principal = require(CLERK),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    """Release the reviewer's copies that are still missing, then confirm (when that was not done before)."""
    case = await _case(request, case_id)
    for document_id, ref in case.state.documents.items():
        if ref.audience is Audience.REVIEWER and document_id not in case.state.released:
            await _release(request, case, ref, principal, key)
    if not case.state.confirmed:
        compared = tuple(each for each, ref in case.state.documents.items() if ref.audience is Audience.IDENTITY_CLERK)
        command = ConfirmIdentity(documents=compared)
        done = await deps(request).handler.execute(command, by=principal, on=case.stream, key=key, expected_by_page=seen)
        await _shown(request, done)
    return RedirectResponse("/identity", 303)


async def _release(request: Request, case: Case, ref: DocumentRef, principal: Principal, key: str) -> None:
    document_store = deps(request).container.document_store
    content = b"".join([piece async for piece in document_store.get(ref)])
    copied = clean_copy(content, ref.media_type)

    async def pieces() -> AsyncIterator[bytes]:
        yield copied

    async with deps(request).container.staging(case.case_id) as staged:
        copy = await staged.put(
            pieces(),
            person=case.state.applicant,
            data_class=DataClass.PROPERTY,
            kind=ref.kind,
            audience=ref.audience,
            limit=4 * DOCUMENT_BYTES,
        )
        command = ReleaseDocument(document_id=ref.document_id, copy_of=copy)
        staged.appended(await deps(request).handler.execute(command, by=principal, on=case.stream, key=key))


@router.post("/identity/{case_id}/question")
async def question(
    request: Request,
    case_id: str,
    seen: Annotated[int, Form(ge=1)],
    reasons: Annotated[list[str], Form(max_length=10)] = [],  # noqa: B006 - FastAPI copies it
    note: Annotated[str, Form(max_length=2000)] = "",
    principal: Principal = require(CLERK),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    case = await _case(request, case_id)
    command = QuestionIdentity(reasons=tuple(reasons), note=note or None, person=await person_of(request, case))
    done = await deps(request).handler.execute(command, by=principal, on=case.stream, key=key, expected_by_page=seen)
    await _shown(request, done)
    return RedirectResponse("/identity", 303)


async def _shown(request: Request, done: CommandResult) -> None:
    """Wait a little until the list has what was just done; a slow projection only shows it later."""
    await deps(request).container.inbox.wait("cases", done.events[-1].position, done.stream, WAIT_SECONDS)


async def _case(request: Request, case_id: str) -> Case:
    case = await deps(request).queries.load(case_id)
    if case is None:
        raise NotFound
    return case

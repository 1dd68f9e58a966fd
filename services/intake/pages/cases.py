"""A case for its applicant and for the office that filed it: timeline, answers, withdrawal, receipt, certificate."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.eventing.processors.processor import Reach
from chassis.principal import Principal
from chassis.web.auth import idempotency_key, require
from chassis.web.pages import render
from chassis.web.problems import NotFound
from chassis.web.routes import Download, accepts_form, routes
from chassis.web.uploads import UploadRoute
from schemas.catalogue import catalogue
from schemas.clocks import fold
from schemas.facts import intake, review
from schemas.labels import label
from services.intake.commands import AnswerCorrection, AnswerIdentity, WithdrawCase
from services.intake.deps import deps
from services.intake.pages.forms import answer_form
from services.intake.pages.shared import document, own_case, person_of, receipt, uploads, words_of
from services.intake.pages.submit import Filing, submit_with_documents
from services.intake.read import Case

router = routes(UploadRoute)
WAIT_SECONDS = 2.0
OWNERS = ("citizen", "office_operator")
_UNSHOWN = (review.DrawCommitted, intake.PapersOpened, review.MaterialOpened)
"""Internal steps that tell an applicant nothing; the audit desk's timeline shows what staff opened."""


@router.get("/cases/{case_id}")
async def show(request: Request, case_id: str, filed: str = "", principal: Principal = require(*OWNERS)) -> HTMLResponse:
    case = await own_case(request, case_id, principal)
    return await page(request, case, principal, filed=filed)


async def page(request: Request, case: Case, principal: Principal, *, filed: str = "", with_note: bool = False) -> HTMLResponse:
    """The page of a case. An office reads the note of an open question only `with_note`: after its opening is in the log."""
    now = max(await deps(request).container.log.now(), case.facts[-1][0].recorded_at)
    lang = request.state.language
    steps = [
        {"words": label(recorded.type, lang), "at": recorded.recorded_at, "position": str(recorded.position), "fact": fact}
        for recorded, fact in reversed(case.facts)
        if not isinstance(fact, _UNSHOWN) and not recorded.type.startswith("message.")
    ]
    checkable = await _checkable(request, case)
    clocks = fold((fact, recorded.recorded_at) for recorded, fact in case.facts)
    told = await deps(request).queries.told(case.stream)
    # An office need not read its own name here: its desk shows it.
    by = await deps(request).queries.office(case.state.office) if case.state.office and principal.role == "citizen" else None
    if principal.office and told:
        await deps(request).queries.see(principal.office, case.stream, max(each.version for each in told))
    return render(
        request,
        "case.html",
        case=case,
        steps=steps,
        filed=filed,
        receipt=receipt(request, case).text(),
        tracking_code=deps(request).container.vault.tracking_code(case.case_id),
        told=told,
        by=by,
        clocks=clocks,
        checkable=checkable,
        spent=clocks.at(now),
        asked=await _asked(request, case, with_note=with_note or principal.role == "citizen"),
        **words_of(case),
    )


async def _checkable(request: Request, case: Case) -> bool:
    """Whether the public check knows the certificate already: a link to it a moment before would call it not genuine."""
    issued = next((recorded for recorded, fact in reversed(case.facts) if isinstance(fact, intake.CertificateIssued)), None)
    if issued is None:
        return False
    reach = await deps(request).container.inbox.wait("cases", issued.position, case.stream, WAIT_SECONDS)
    return reach is Reach.REACHED


async def _asked(request: Request, case: Case, *, with_note: bool) -> dict[str, object] | None:
    """The open question to the applicant, `with_note` with what the reviewer or clerk wrote, or None."""
    wanted: type[intake.IdentityQuestioned | review.CorrectionRequested] | None = None
    if case.state.identity_open:
        wanted = intake.IdentityQuestioned
    elif case.state.correction_open:
        wanted = review.CorrectionRequested
    if wanted is None:
        return None
    recorded, fact = next((r, f) for r, f in reversed(case.facts) if isinstance(f, wanted))
    if not isinstance(fact, intake.IdentityQuestioned | review.CorrectionRequested):
        return None
    note = (await deps(request).container.vault.open(recorded, "note", fact.note))["text"] if fact.note and with_note else ""
    group = "identity_questions" if isinstance(fact, intake.IdentityQuestioned) else "corrections"
    sealed = fact.note is not None and not with_note
    return {"reasons": fact.reasons, "group": group, "note": note, "sealed": sealed, "due_at": fact.deadline.due_at}


@router.post("/cases/{case_id}/answer")
@accepts_form(answer_form)
async def answer(
    request: Request,
    case_id: str,
    principal: Principal = require(*OWNERS),
    key: str = Depends(idempotency_key),
    text: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    case = await own_case(request, case_id, principal)
    files = await uploads(await request.form(), catalogue().types[case.state.request_type].documents)
    person = await person_of(request, case)
    documents = tuple(each.filed for each in files)
    command: AnswerIdentity | AnswerCorrection
    if case.state.identity_open:
        command = AnswerIdentity(note=text or None, person=person, documents=documents)
    else:
        command = AnswerCorrection(answer=text, person=person, documents=documents)
    await submit_with_documents(deps(request), Filing(command, files, by=principal, on=case.stream, key=key))
    return RedirectResponse(f"/cases/{case_id}", 303)


@router.post("/cases/{case_id}/withdraw")
async def withdraw(
    request: Request,
    case_id: str,
    reason: Annotated[str, Form(max_length=60)],
    seen: Annotated[int, Form(ge=1)],
    principal: Principal = require(*OWNERS),
    key: str = Depends(idempotency_key),
) -> RedirectResponse:
    case = await own_case(request, case_id, principal)
    await deps(request).handler.execute(WithdrawCase(reason=reason), by=principal, on=case.stream, key=key, expected_by_page=seen)
    return RedirectResponse(f"/cases/{case_id}", 303)


@router.get("/cases/{case_id}/documents/{document_id}")
async def own_document(request: Request, case_id: str, document_id: str, principal: Principal = require("citizen")) -> Download:
    """A paper of one's own. No door for the office that filed it: it sees the status of its filings only (domain.md, roles)."""
    case = await own_case(request, case_id, principal)
    if document_id not in case.state.documents:
        raise NotFound
    return await document(request, case.state.documents[document_id])


@router.get("/cases/{case_id}/certificate")
async def own_certificate(request: Request, case_id: str, principal: Principal = require("citizen")) -> Download:
    return await certificate(request, await own_case(request, case_id, principal))


async def certificate(request: Request, case: Case) -> Download:
    """The certificate of a case. Raises NotFound when there is none."""
    issued = next((fact for _, fact in case.facts if isinstance(fact, intake.CertificateIssued)), None)
    if issued is None:
        raise NotFound
    return await document(request, issued.document)

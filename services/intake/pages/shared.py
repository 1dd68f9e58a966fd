"""Shared by intake's pages: the service behind the request, uploads, documents, the receipt."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from caselog.receipt import Receipt, sign
from chassis.accounts.one_time_codes import subject_of
from chassis.principal import Principal
from chassis.privacy.documents.staging import Staging
from chassis.privacy.documents.store import CHUNK
from chassis.web.problems import NotFound
from chassis.web.routes import Download
from schemas.catalogue import Paper, catalogue
from schemas.envelope.documents import DocumentRef
from schemas.envelope.sealing import DataClass
from schemas.facts.intake import CaseSubmitted
from services.intake.commands import FiledDocument
from services.intake.deps import deps
from services.intake.read import Case

DOCUMENT_BYTES = 25 * 1024 * 1024
FORM_BYTES = 60 * 1024 * 1024


async def own_case(request: Request, case_id: str, principal: Principal) -> Case:
    """The case, when it is this citizen's or this office's. Raises NotFound: another's case is not even confirmed to exist."""
    case = await deps(request).queries.load(case_id)
    if case is None:
        raise NotFound
    if principal.role == "citizen":
        allowed = case.state.applicant == deps(request).container.vault.alias(principal.subject, case.stream)
    else:
        allowed = principal.office is not None and case.state.office == principal.office
    if not allowed:
        raise NotFound
    return case


@dataclass(frozen=True)
class Upload:
    """One file of a form, and its paper in the catalogue."""

    paper: Paper
    file: UploadFile
    filed: FiledDocument


async def uploads(form: FormData, papers: tuple[Paper, ...]) -> list[Upload]:
    """The files of a form; their digests tell two requests apart that differ in a document only."""
    found = []
    for paper in papers:
        for file in form.getlist(f"document_{paper.key}"):
            if isinstance(file, UploadFile) and file.size:
                digest = hashlib.sha256()
                async for piece in _pieces(file):
                    digest.update(piece)
                filed = FiledDocument(
                    kind=paper.key, content_digest=digest.hexdigest(), size=file.size, media_type="application/octet-stream"
                )
                found.append(Upload(paper, file, filed))
    return found


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while piece := await file.read(CHUNK):
        yield piece


async def store(staged: Staging, files: Sequence[Upload], *, person: str) -> tuple[DocumentRef, ...]:
    """Seal and store the files of a form at the same time, under the class identity: only intake opens an original.

    Raises the first refusal when every file has come to its end: what is still being stored could not be taken away.
    """

    async def one(upload: Upload) -> DocumentRef:
        return await staged.put(
            _pieces(upload.file),
            person=person,
            data_class=DataClass.IDENTITY,
            kind=upload.paper.key,
            audience=upload.paper.audience,
            limit=DOCUMENT_BYTES,
        )

    stored = await asyncio.gather(*map(one, files), return_exceptions=True)
    for each in stored:
        if isinstance(each, BaseException):
            raise each
    return tuple(each for each in stored if isinstance(each, DocumentRef))


async def document(request: Request, ref: DocumentRef) -> Download:
    """A document as a download."""
    return Download(deps(request).container.document_store.get(ref), ref.media_type, ref.kind)


def receipt(request: Request, case: Case) -> Receipt:
    """The signed receipt of the submission."""
    first = case.facts[0][0]
    return sign(
        deps(request).receipt_key,
        log_id=first.log_id,
        epoch=first.epoch,
        position=first.position,
        link=first.link,
        recorded_at=first.recorded_at,
    )


async def person_of(request: Request, case: Case) -> str:
    """The vault's id of the applicant, from the sealed identity."""
    recorded, fact = case.facts[0]
    if not isinstance(fact, CaseSubmitted):
        raise NotFound
    vault = deps(request).container.vault
    identity = await vault.open(recorded, "identity", fact.identity)
    return subject_of(vault.blind("national_code", identity["national_code"]))


def words_of(case: Case) -> dict[str, Any]:
    """The catalogue's words that a case page needs."""
    return {"kind": catalogue().types[case.state.request_type], "codes": catalogue().codes}

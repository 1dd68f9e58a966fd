"""How each task of intake's agenda is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from chassis.accounts.one_time_codes import subject_of
from chassis.eventing.agenda.task import ClaimedTask
from schemas.catalogue import catalogue
from schemas.envelope import RecordedFact
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.sealing import DataClass
from schemas.facts.intake import CaseSubmitted
from schemas.facts.review import CaseApproved
from services.intake.certificate import Certificate, pdf
from services.intake.commands import EscalateIdentity, IssueCertificate
from services.intake.deps import IntakeDeps
from services.intake.read import Case

CERTIFICATE_BYTES: Final = 25 * 1024 * 1024


async def escalate_identity(task: ClaimedTask, deps: IntakeDeps) -> None:
    await deps.handler.execute_task(EscalateIdentity(round=int(task.key)), task)


async def issue_certificate(task: ClaimedTask, deps: IntakeDeps) -> None:
    """Make the certificate of an approved case, keep it, and record it. Raises LookupError when the case is not approved."""
    case = await deps.queries.load(task.target.removeprefix("case:"))
    if case is None:
        raise LookupError(task.target)
    recorded, submitted = case.facts[0]
    if not isinstance(submitted, CaseSubmitted):
        raise LookupError(task.target)
    vault = deps.container.vault
    identity = await vault.open(recorded, "identity", submitted.identity)
    made = await _certificate(case, recorded, submitted, identity["name"], task, deps)

    async def pieces() -> AsyncIterator[bytes]:
        yield await asyncio.to_thread(pdf, made)  # 12 ms, 100 ms the first time: pages are served in the meantime

    async with deps.container.staging(case.case_id) as staged:
        document: DocumentRef = await staged.put(
            pieces(),
            person=subject_of(vault.blind("national_code", identity["national_code"])),
            data_class=DataClass.IDENTITY,
            kind="certificate",
            audience=Audience.IDENTITY_CLERK,
            limit=CERTIFICATE_BYTES,
        )
        command = IssueCertificate(
            certificate_id=made.certificate_id,
            decided_at_position=made.position,
            decided_link=made.link,
            issued_on=made.issued_on,
            document=document,
        )
        staged.appended(await deps.handler.execute_task(command, task))


async def _certificate(
    case: Case, recorded: RecordedFact, submitted: CaseSubmitted, name: str, task: ClaimedTask, deps: IntakeDeps
) -> Certificate:
    """The printed text. The number comes from the task's id, so that a retry prints the same. Raises LookupError."""
    approval, approved = next(((r, f) for r, f in case.facts if isinstance(f, CaseApproved)), (None, None))
    if approval is None or approved is None:
        raise LookupError(task.target)
    vault, number = deps.container.vault, deps.container.vault.tracking_code(f"certificate {task.id.hex()}")
    return Certificate(
        certificate_id=number,
        request_type=submitted.request_type,
        name=name,
        property=await vault.open(recorded, "property", submitted.property),
        district=submitted.district,
        conditions=approved.conditions,
        issued_on=approval.recorded_at,
        valid_until=valid_until(submitted.request_type, approval.recorded_at),
        position=str(approval.position),
        link=approval.link.hex(),
        url=f"{deps.container.settings.public_url('intake')}/check/{number}",
    )


def valid_until(request_type: str, issued_on: datetime) -> datetime | None:
    """Until when a certificate of this type is valid; None: without end."""
    days = catalogue().types[request_type].outcome.valid_days
    return issued_on.astimezone(UTC) + timedelta(days=days) if days else None


TASKS: Final[Mapping[str, Callable[[ClaimedTask, IntakeDeps], Awaitable[None]]]] = {
    "escalate_identity": escalate_identity,
    "issue_certificate": issue_certificate,
}

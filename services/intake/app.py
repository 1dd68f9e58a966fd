"""Intake, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import FastAPI

from chassis.accounts.accounts import Account
from chassis.accounts.one_time_codes import Codes, subject_of
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import TaskHandler
from chassis.privacy.documents.staging import Sweeper
from chassis.privacy.documents.store import TooLarge, WrongType
from chassis.refusal import refusals_in
from chassis.runtime.cli import ServiceApp
from chassis.runtime.container import Container, open_container
from chassis.runtime.lifespan import metrics_of, ready, service_lifespan, status
from chassis.runtime.message_gateway import MessageGateway
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.pages import Link
from schemas.catalogue import catalogue
from schemas.documents import Audience
from schemas.facts.intake import CaseSubmitted
from schemas.facts.review import CaseApproved
from schemas.sealing import DataClass
from services.intake import refusals
from services.intake.certificate import Certificate, pdf
from services.intake.commands import EscalateIdentity, IssueCertificate, RegisterOffice
from services.intake.handle import Handling
from services.intake.pages import ROUTERS
from services.intake.pages.shared import DOCUMENT_BYTES, FORM_BYTES, Deps
from services.intake.reactions import processors
from services.intake.read import Cases
from services.intake.registration import REGISTRATION, ROLES, register, registered
from services.intake.settings import PACKAGE, TITLE

LINKS = (
    Link("/", "Overview"),
    Link("/new", "New request", ("citizen", "office_operator")),
    Link("/office", "Our filings", ("office_operator",)),
    Link("/identity", "Identity desk", ("identity_clerk",)),
    Link("/status", "How the house is", ("identity_clerk", "engineer")),
    Link("/track", "Follow a request"),
    Link("/check", "Check a certificate"),
)


def open_service(settings: Settings) -> AbstractAsyncContextManager[Container]:
    """Intake's adapters."""
    return open_container(settings, "intake", processors)


def create_app(settings: Settings) -> FastAPI:
    """Intake's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service_lifespan(
            app, open_service(settings), roles=ROLES, reactions=reactions, blind=lambda container: container.vault.blind
        ) as container:
            gateway = MessageGateway(settings.outbox, settings.smtp)
            app.state.codes = Codes(container.db, container.vault.blind, gateway.one_time_code)
            key = load_pem_private_key((settings.keys / "receipt.pem").read_bytes(), None)
            if not isinstance(key, Ed25519PrivateKey):
                raise TypeError("receipt.pem holds no Ed25519 key")
            app.state.deps = Deps(
                container, Cases(container.db, container.log), Handling(container.handler, container.vault), key
            )
            sweeping = asyncio.create_task(Sweeper(container.document_store, container.log).run(), name="sweeper")
            try:
                yield
            finally:
                sweeping.cancel()
                await asyncio.gather(sweeping, return_exceptions=True)

    return create_web_app(
        service="intake",
        title=TITLE,
        settings=settings,
        lifespan=lifespan,
        routers=ROUTERS,
        package=PACKAGE,
        ready=ready,
        status=status,
        metrics=metrics_of(settings, "intake"),
        published=True,
        refusals=(*refusals_in(refusals), TooLarge, WrongType),
        links=LINKS,
        citizens=True,
        body_limits={"/new/": FORM_BYTES, "/cases/": FORM_BYTES},
    )


def reactions(container: Container) -> Mapping[str, TaskHandler]:
    """What intake owes, by reaction."""
    handling, cases = Handling(container.handler, container.vault), Cases(container.db, container.log)

    async def escalate_identity(task: ClaimedTask) -> None:
        await handling.by_agenda(EscalateIdentity(round=int(task.key)), task)

    async def issue_certificate(task: ClaimedTask) -> None:
        case = await cases.load(task.target.removeprefix("case:"))
        if case is None:
            raise LookupError(task.target)
        recorded, submitted = case.facts[0]
        approval, approved = next((r, f) for r, f in case.facts if isinstance(f, CaseApproved))
        if not isinstance(submitted, CaseSubmitted) or not isinstance(approved, CaseApproved):
            raise LookupError(task.target)
        identity = await container.vault.open(recorded, "identity", submitted.identity)
        number = container.vault.tracking_code(f"certificate {task.id.hex()}")
        made = Certificate(
            certificate_id=number,
            request_type=submitted.request_type,
            name=identity["name"],
            property=await container.vault.open(recorded, "property", submitted.property),
            district=submitted.district,
            conditions=approved.conditions,
            issued_on=approval.recorded_at,
            valid_until=valid_until(submitted.request_type, approval.recorded_at),
            position=str(approval.position),
            link=approval.link.hex(),
            url=f"{container.settings.public_url('intake')}/check/{number}",
        )

        async def pieces() -> AsyncIterator[bytes]:
            yield await asyncio.to_thread(
                pdf, made
            )  # 12 ms, and a tenth of a second the first time: pages are answered meanwhile

        async with container.staging(case.case_id) as staged:
            document = await staged.put(
                pieces(),
                person=subject_of(container.vault.blind("national_code", identity["national_code"])),
                data_class=DataClass.IDENTITY,
                kind="certificate",
                audience=Audience.IDENTITY_CLERK,
                limit=DOCUMENT_BYTES,
            )
            command = IssueCertificate(
                certificate_id=made.certificate_id,
                decided_at_position=made.position,
                decided_link=made.link,
                issued_on=made.issued_on,
                document=document,
            )
            staged.appended(await handling.by_agenda(command, task))

    return {"escalate_identity": escalate_identity, "issue_certificate": issue_certificate}


async def demonstrate(container: Container) -> None:
    """Demonstration accounts and offices; asked again, it changes nothing."""
    offices = {
        "office-1": ("دفتر پیشخوان آزادی", "Azadi counter office", 1),
        "office-2": ("دفتر پیشخوان شریعتی", "Shariati counter office", 3),
    }
    await container.accounts.put(
        [
            Account("op-1", "office1", "office1-demo", "office_operator", "اپراتور دفتر پیشخوان آزادی", office="office-1"),
            Account("op-2", "office2", "office2-demo", "office_operator", "اپراتور دفتر پیشخوان شریعتی", office="office-2"),
            Account("eng-1", "engineer1", "engineer1-demo", "engineer", "مهندس سامانه"),
            Account("clerk-1", "clerk1", "clerk1-demo", "identity_clerk", "کارشناس هویت"),
        ],
        demonstration=True,
    )
    for office, (name_fa, name_en, district) in offices.items():
        if not await registered(container.log, office):
            await register(container, office, RegisterOffice(name_fa=name_fa, name_en=name_en, district=district))


def valid_until(request_type: str, issued_on: datetime) -> datetime | None:
    """Until when a certificate of this type is valid; None: without end."""
    days = catalogue().types[request_type].outcome.valid_days
    return issued_on.astimezone(UTC) + timedelta(days=days) if days else None


PROCESS = ServiceApp(
    service="intake",
    package=PACKAGE,
    open_container=open_service,
    create_app=create_app,
    reactions=reactions,
    demonstrate=demonstrate,
    registration=REGISTRATION,
    refusals=refusals_in(refusals),
)

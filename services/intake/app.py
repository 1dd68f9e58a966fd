"""Intake, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import FastAPI

from chassis.agenda.items import Item
from chassis.agenda.worker import CarryOut
from chassis.blobs import TooLarge, WrongType
from chassis.opening import METRICS, opened, ready, status
from chassis.process import Process
from chassis.refusal import refusals_in
from chassis.senders import Outbox
from chassis.settings import Ground
from chassis.staging import Sweeper
from chassis.standing import Standing, standing
from chassis.web.accounts import Account
from chassis.web.application import application
from chassis.web.codes import Codes, subject_of
from chassis.web.pages import Link
from schemas.catalogue import catalogue
from schemas.documents import Audience
from schemas.facts.intake import CaseSubmitted
from schemas.facts.review import CaseApproved
from schemas.sealing import DataClass
from services.intake import refusals
from services.intake.certificate import Certificate, pdf
from services.intake.commands import EscalateIdentity, IssueCertificate, RegisterOffice
from services.intake.consume import readers
from services.intake.enrolment import ENROLMENT, ROLES, register, registered
from services.intake.handle import Handling
from services.intake.pages import ROUTERS
from services.intake.pages.room import DOCUMENT_BYTES, FORM_BYTES, Room
from services.intake.read import Cases
from services.intake.settings import ROOM, TITLE

LINKS = (
    Link("/", "Overview"),
    Link("/new", "New request", ("citizen", "office_operator")),
    Link("/office", "Our filings", ("office_operator",)),
    Link("/identity", "Identity desk", ("identity_clerk",)),
    Link("/status", "How the house is", ("identity_clerk", "engineer")),
    Link("/track", "Follow a request"),
    Link("/check", "Check a certificate"),
)


def stand(ground: Ground) -> AbstractAsyncContextManager[Standing]:
    """Intake's adapters."""
    return standing(ground, "intake", readers)


def door(ground: Ground) -> FastAPI:
    """Intake's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(app, stand(ground), roles=ROLES, blind=lambda here: here.vault.blind) as here:
            outbox = Outbox(ground.outbox, ground.smtp)
            app.state.codes = Codes(here.own, here.vault.blind, outbox.one_time_code)
            key = load_pem_private_key((ground.keys / "receipt.pem").read_bytes(), None)
            if not isinstance(key, Ed25519PrivateKey):
                raise TypeError("receipt.pem holds no Ed25519 key")
            app.state.room = Room(here, Cases(here.own, here.log), Handling(here.handler, here.vault), key)
            sweeping = asyncio.create_task(Sweeper(here.blobs, here.log).run(), name="sweeper")
            try:
                yield
            finally:
                sweeping.cancel()
                await asyncio.gather(sweeping, return_exceptions=True)

    return application(
        service="intake",
        title=TITLE,
        ground=ground,
        lifespan=lifespan,
        routers=ROUTERS,
        room=ROOM,
        ready=ready,
        status=status,
        metrics=METRICS,
        published=True,
        refusals=(*refusals_in(refusals), TooLarge, WrongType),
        links=LINKS,
        citizens=True,
        body_limits={"/new/": FORM_BYTES, "/cases/": FORM_BYTES},
    )


def reactions(here: Standing) -> Mapping[str, CarryOut]:
    """What intake owes, by reaction."""
    handling, cases = Handling(here.handler, here.vault), Cases(here.own, here.log)

    async def escalate_identity(item: Item) -> None:
        await handling.by_agenda(EscalateIdentity(round=int(item.key)), item)

    async def issue_certificate(item: Item) -> None:
        case = await cases.load(item.target.removeprefix("case:"))
        if case is None:
            raise LookupError(item.target)
        recorded, submitted = case.facts[0]
        approval, approved = next((r, f) for r, f in case.facts if isinstance(f, CaseApproved))
        if not isinstance(submitted, CaseSubmitted) or not isinstance(approved, CaseApproved):
            raise LookupError(item.target)
        identity = await here.vault.open(recorded, "identity", submitted.identity)
        made = Certificate(
            certificate_id=here.vault.tracking_code(f"certificate {item.id.hex()}"),
            request_type=submitted.request_type,
            name=identity["name"],
            property=await here.vault.open(recorded, "property", submitted.property),
            district=submitted.district,
            conditions=approved.conditions,
            issued_on=approval.recorded_at,
            valid_until=valid_until(submitted.request_type, approval.recorded_at),
            position=str(approval.position),
            link=approval.link.hex(),
            url=f"{here.ground.door('intake')}/check/{here.vault.tracking_code(f'certificate {item.id.hex()}')}",
        )

        async def pieces() -> AsyncIterator[bytes]:
            yield pdf(made)

        async with here.staging(case.case_id) as staged:
            document = await staged.put(
                pieces(),
                person=subject_of(here.vault.blind("national_code", identity["national_code"])),
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
            staged.appended(await handling.by_agenda(command, item))

    return {"escalate_identity": escalate_identity, "issue_certificate": issue_certificate}


async def demonstrate(here: Standing) -> None:
    """Demonstration accounts and offices; asked again, it changes nothing."""
    offices = {
        "office-1": ("دفتر پیشخوان آزادی", "Azadi counter office", 1),
        "office-2": ("دفتر پیشخوان شریعتی", "Shariati counter office", 3),
    }
    await here.accounts.put(
        [
            Account("op-1", "office1", "office1-demo", "office_operator", "اپراتور دفتر پیشخوان آزادی", office="office-1"),
            Account("op-2", "office2", "office2-demo", "office_operator", "اپراتور دفتر پیشخوان شریعتی", office="office-2"),
            Account("eng-1", "engineer1", "engineer1-demo", "engineer", "مهندس سامانه"),
            Account("clerk-1", "clerk1", "clerk1-demo", "identity_clerk", "کارشناس هویت"),
        ],
        demonstration=True,
    )
    for office, (name_fa, name_en, district) in offices.items():
        if not await registered(here.log, office):
            await register(here, office, RegisterOffice(name_fa=name_fa, name_en=name_en, district=district))


def valid_until(request_type: str, issued_on: datetime) -> datetime | None:
    """Until when a certificate of this type is valid; None: without end."""
    days = catalogue().types[request_type].outcome.valid_days
    return issued_on.astimezone(UTC) + timedelta(days=days) if days else None


PROCESS = Process(
    service="intake",
    room=ROOM,
    stand=stand,
    door=door,
    reactions=reactions,
    demonstrate=demonstrate,
    enrolment=ENROLMENT,
    refusals=refusals_in(refusals),
)

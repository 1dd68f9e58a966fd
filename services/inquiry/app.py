"""Inquiry, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from chassis.agenda.items import Item
from chassis.agenda.worker import CarryOut
from chassis.opening import METRICS, opened, ready, status
from chassis.process import Process
from chassis.refusal import refusals_in
from chassis.settings import Ground
from chassis.standing import Standing, standing
from chassis.web.accounts import Account
from chassis.web.application import application
from chassis.web.pages import Link
from schemas.catalogue import catalogue
from services.inquiry import refusals
from services.inquiry.commands import EscalateInquiry, OpenInquiry
from services.inquiry.consume import readers
from services.inquiry.enrolment import ENROLMENT, ROLES, register
from services.inquiry.handle import Handling
from services.inquiry.pages import Room, router
from services.inquiry.read import Inquiries
from services.inquiry.settings import ROOM, TITLE

LINKS = (Link("/", "Questions"),)


def stand(ground: Ground) -> AbstractAsyncContextManager[Standing]:
    """Inquiry's adapters."""
    return standing(ground, "inquiry", readers)


def door(ground: Ground) -> FastAPI:
    """Inquiry's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(app, stand(ground), roles=ROLES) as here:
            app.state.room = Room(here, Inquiries(here.own, here.log), Handling(here.handler, here.vault))
            yield

    return application(
        service="inquiry",
        title=TITLE,
        ground=ground,
        lifespan=lifespan,
        routers=(router,),
        room=ROOM,
        ready=ready,
        status=status,
        metrics=METRICS,
        refusals=refusals_in(refusals),
        links=LINKS,
    )


def reactions(here: Standing) -> Mapping[str, CarryOut]:
    """What inquiry owes, by reaction."""
    handling = Handling(here.handler, here.vault)

    async def open_inquiry(item: Item) -> None:
        await handling.by_agenda(OpenInquiry(inquiry_id=item.key), item)

    async def escalate_inquiry(item: Item) -> None:
        await handling.by_agenda(EscalateInquiry(inquiry_id=item.key), item)

    return {"open_inquiry": open_inquiry, "escalate_inquiry": escalate_inquiry}


async def demonstrate(here: Standing) -> None:
    """Demonstration accounts and registered agencies; asked again, it changes nothing."""
    agencies = catalogue().codes["agencies"]
    await here.accounts.put(
        [Account(f"officer-{key}", key, f"{key}-demo", "agency_officer", each.fa, agency=key) for key, each in agencies.items()],
        demonstration=True,
    )
    for key in agencies:
        await register(here, key)


PROCESS = Process(
    service="inquiry",
    room=ROOM,
    stand=stand,
    door=door,
    reactions=reactions,
    demonstrate=demonstrate,
    enrolment=ENROLMENT,
    refusals=refusals_in(refusals),
)

"""Inquiry, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from chassis.accounts.accounts import Account
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import TaskHandler
from chassis.refusal import refusals_in
from chassis.runtime.cli import ServiceApp
from chassis.runtime.container import Container, open_container
from chassis.runtime.lifespan import metrics_of, ready, service_lifespan, status
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.pages import Link
from schemas.catalogue import catalogue
from services.inquiry import refusals
from services.inquiry.commands import EscalateInquiry, OpenInquiry
from services.inquiry.handle import Handling
from services.inquiry.pages import Deps, router
from services.inquiry.reactions import processors
from services.inquiry.read import Inquiries
from services.inquiry.registration import REGISTRATION, ROLES, register
from services.inquiry.settings import PACKAGE, TITLE

LINKS = (Link("/", "Questions"),)


def open_service(settings: Settings) -> AbstractAsyncContextManager[Container]:
    """Inquiry's adapters."""
    return open_container(settings, "inquiry", processors)


def create_app(settings: Settings) -> FastAPI:
    """Inquiry's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service_lifespan(app, open_service(settings), roles=ROLES, reactions=reactions) as container:
            app.state.deps = Deps(container, Inquiries(container.db, container.log), Handling(container.handler, container.vault))
            yield

    return create_web_app(
        service="inquiry",
        title=TITLE,
        settings=settings,
        lifespan=lifespan,
        routers=(router,),
        package=PACKAGE,
        ready=ready,
        status=status,
        metrics=metrics_of(settings, "inquiry"),
        refusals=refusals_in(refusals),
        links=LINKS,
    )


def reactions(container: Container) -> Mapping[str, TaskHandler]:
    """What inquiry owes, by reaction."""
    handling = Handling(container.handler, container.vault)

    async def open_inquiry(task: ClaimedTask) -> None:
        await handling.by_agenda(OpenInquiry(inquiry_id=task.key), task)

    async def escalate_inquiry(task: ClaimedTask) -> None:
        await handling.by_agenda(EscalateInquiry(inquiry_id=task.key), task)

    return {"open_inquiry": open_inquiry, "escalate_inquiry": escalate_inquiry}


async def demonstrate(container: Container) -> None:
    """Demonstration accounts and registered agencies; asked again, it changes nothing."""
    agencies = catalogue().codes["agencies"]
    await container.accounts.put(
        [Account(f"officer-{key}", key, f"{key}-demo", "agency_officer", each.fa, agency=key) for key, each in agencies.items()],
        demonstration=True,
    )
    for key in agencies:
        await register(container, key)


PROCESS = ServiceApp(
    service="inquiry",
    package=PACKAGE,
    open_container=open_service,
    create_app=create_app,
    reactions=reactions,
    demonstrate=demonstrate,
    registration=REGISTRATION,
    refusals=refusals_in(refusals),
)

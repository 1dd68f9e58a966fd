"""The audit desk, built: it reads the log itself, and nothing of it can write there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from chassis.accounts.accounts import Account
from chassis.accounts.registration import Registration
from chassis.eventing.processors.inbox import METRICS
from chassis.runtime.cli import ReadOnlyServiceApp
from chassis.runtime.container import ReadOnlyContainer, open_read_only_container
from chassis.runtime.lifespan import ready, service_lifespan, status
from chassis.runtime.witness_client import keys_by_fingerprint, load
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.pages import Link
from services.audit.api import CONSUMER
from services.audit.api import router as feed
from services.audit.pages import AUDITOR, Deps, router
from services.audit.processors import processors
from services.audit.read import Audit
from services.audit.settings import PACKAGE, TITLE

ROLES = (AUDITOR,)
"""The staff of this desk (domain.md, Who acts)."""
LINKS = (Link("/", "Find a case"),)


def open_service(settings: Settings) -> AbstractAsyncContextManager[ReadOnlyContainer]:
    """Audit's adapters."""
    return open_read_only_container(settings, "audit", processors)


def create_app(settings: Settings) -> FastAPI:
    """Audit's web application. Its one small table is fed by the log alone: an auditor does not trust the bus."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service_lifespan(app, open_service(settings), roles=ROLES) as container:
            witnesses = load(settings.keys / "witnesses.json")
            app.state.deps = Deps(container, Audit(container.db, container.log, keys_by_fingerprint(witnesses)), witnesses)
            yield

    return create_web_app(
        service="audit",
        title=TITLE,
        settings=settings,
        lifespan=lifespan,
        routers=(router, feed),
        package=PACKAGE,
        ready=ready,
        status=status,
        metrics=METRICS,
        published=True,
        links=LINKS,
    )


async def demonstrate(container: ReadOnlyContainer) -> None:
    """The demonstration accounts of the desk; asked again, it changes nothing."""
    accounts = [
        Account("auditor-1", "auditor1", "auditor1-demo", AUDITOR, "حسابرس"),
        Account("consumer-1", "consumer1", "consumer1-demo", CONSUMER, "سامانهٔ بیرونی"),
    ]
    await container.accounts.put(accounts, demonstration=True)


PROCESS = ReadOnlyServiceApp(
    service="audit",
    package=PACKAGE,
    open_container=open_service,
    create_app=create_app,
    demonstrate=demonstrate,
    # A consumer is a program that reads the feed; no issuer signs it in.
    registration=Registration[ReadOnlyContainer]((*ROLES, CONSUMER)),
)

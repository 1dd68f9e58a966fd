"""The audit desk, built: it reads the log itself, and nothing of it can write there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from chassis.bus.inbox import METRICS
from chassis.enrolling.enrolment import Enrolment
from chassis.opening import opened, ready, status
from chassis.process import ReadOnlyServiceApp
from chassis.settings import Ground
from chassis.standing import ReadOnlyContainer, read_only
from chassis.web.accounts import Account
from chassis.web.application import application
from chassis.web.pages import Link
from chassis.witnesses import keys_by_fingerprint, load
from services.audit.api import CONSUMER
from services.audit.api import router as feed
from services.audit.consume import readers
from services.audit.pages import AUDITOR, Room, router
from services.audit.read import Audit
from services.audit.settings import ROOM, TITLE

ROLES = (AUDITOR,)
"""The staff of this desk (domain.md, Who acts)."""
LINKS = (Link("/", "Find a case"),)


def stand(ground: Ground) -> AbstractAsyncContextManager[ReadOnlyContainer]:
    """Audit's adapters."""
    return read_only(ground, "audit", readers)


def door(ground: Ground) -> FastAPI:
    """Audit's web application. Its one small table is fed by the log alone: an auditor does not trust the bus."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(app, stand(ground), roles=ROLES) as here:
            witnesses = load(ground.keys / "witnesses.json")
            app.state.room = Room(here, Audit(here.own, here.log, keys_by_fingerprint(witnesses)), witnesses)
            yield

    return application(
        service="audit",
        title=TITLE,
        ground=ground,
        lifespan=lifespan,
        routers=(router, feed),
        room=ROOM,
        ready=ready,
        status=status,
        metrics=METRICS,
        published=True,
        links=LINKS,
    )


async def demonstrate(here: ReadOnlyContainer) -> None:
    """The demonstration accounts of the desk; asked again, it changes nothing."""
    accounts = [
        Account("auditor-1", "auditor1", "auditor1-demo", AUDITOR, "حسابرس"),
        Account("consumer-1", "consumer1", "consumer1-demo", CONSUMER, "سامانهٔ بیرونی"),
    ]
    await here.accounts.put(accounts, demonstration=True)


PROCESS = ReadOnlyServiceApp(
    service="audit",
    room=ROOM,
    stand=stand,
    door=door,
    demonstrate=demonstrate,
    # A consumer is a program that reads the feed; no issuer signs it in.
    enrolment=Enrolment[ReadOnlyContainer]((*ROLES, CONSUMER)),
)

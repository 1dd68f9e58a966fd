"""The audit desk, built: it reads the log itself, and nothing of it can write there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from caselog.connections import answers, pool
from caselog.read import LogReader
from chassis.bus.inbox import METRICS, Inbox
from chassis.enrolling.enrolment import Enrolment
from chassis.settings import Ground
from chassis.vault.keys import VaultKeys
from chassis.web.accounts import Account, Accounts
from chassis.web.application import application, refuse_demonstration_accounts
from chassis.web.oidc.relying_party import relying_party
from chassis.web.pages import Link
from chassis.web.sessions import Sessions
from chassis.web.watching import ReaderStatus, Status
from chassis.witnesses import keys_by_fingerprint, load
from services.audit.api import router as feed
from services.audit.pages import router
from services.audit.project import projection
from services.audit.read import Audit
from services.audit.settings import ROOM, TITLE

ROLES = ("auditor",)
"""The staff of this desk (domain.md, Who acts)."""
ENROLMENT = Enrolment((*ROLES, "consumer"))
"""A consumer is a program that reads the feed; no issuer signs it in."""
LINKS = (Link("/", "Find a case"),)


def door(ground: Ground) -> FastAPI:
    """The audit desk's web application. Its one small table is fed by the log alone: an auditor does not trust the bus."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            pool(ground.as_service("audit", "audit"), least=1, most=4) as own,
            pool(ground.as_reader("audit"), least=1, most=4) as log_pool,
        ):
            log = LogReader(log_pool)
            app.state.sessions = Sessions(own)
            app.state.accounts = Accounts(own, app.state.sessions)
            app.state.oidc = relying_party(ground, "audit", own=own, sessions=app.state.sessions, roles=ROLES)
            await refuse_demonstration_accounts(ground, app.state.accounts)
            app.state.witnesses = load(ground.keys / "witnesses.json")
            app.state.audit = Audit(own, log, keys_by_fingerprint(app.state.witnesses))
            app.state.log = log
            app.state.inbox = inbox = Inbox([projection(VaultKeys(ground.keys))], own=own, log=log, bus=False)
            async with inbox.running():
                yield

    async def ready(app: FastAPI) -> dict[str, bool]:
        return {"log": await answers(app.state.log.heads())}

    async def status(app: FastAPI) -> Status:
        behind = await app.state.inbox.behind()
        parked = len(await app.state.inbox.parked())
        return Status(
            readers=tuple(
                ReaderStatus(reader=name, behind=sum(b.values()), halted=0, parked=parked, stopped=False, share=None)
                for name, b in behind.items()
            )
        )

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


async def demonstrate(ground: Ground) -> None:
    """The demonstration accounts of the desk; asked again, it changes nothing."""
    async with pool(ground.as_service("audit", "audit"), least=1, most=1) as own:
        accounts = [
            Account("auditor-1", "auditor1", "auditor1-demo", "auditor", "حسابرس"),
            Account("consumer-1", "consumer1", "consumer1-demo", "consumer", "سامانهٔ بیرونی"),
        ]
        await Accounts(own, Sessions(own)).put(accounts, demonstration=True)

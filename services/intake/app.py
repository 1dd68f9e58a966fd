"""Intake, by its tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from chassis.accounts.one_time_codes import OneTimeCodes
from chassis.privacy.documents.staging import Sweeper
from chassis.privacy.documents.store import TooLarge, WrongType
from chassis.refusal import refusals_in
from chassis.runtime.message_gateway import MessageGateway
from chassis.runtime.service_app import ServiceApp
from services.intake import refusals
from services.intake.demo import demonstrate
from services.intake.deps import IntakeDeps, open_deps
from services.intake.pages import LINKS, ROUTERS
from services.intake.pages.shared import FORM_BYTES
from services.intake.reactions import processors
from services.intake.registration import REGISTRATION
from services.intake.tasks import TASKS


@asynccontextmanager
async def _more(app: FastAPI, deps: IntakeDeps) -> AsyncIterator[None]:
    """One-time codes for citizens, the key of the receipts, and the sweeper of papers that no fact names."""
    container = deps.container
    gateway = MessageGateway(container.settings.outbox, container.settings.smtp)
    app.state.codes = OneTimeCodes(container.db, container.vault.blind, gateway.one_time_code)
    _ = deps.receipt_key  # a door that cannot sign receipts must not open
    sweeping = asyncio.create_task(Sweeper(container.document_store, container.log).run(), name="sweeper")
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


SERVICE: Final = ServiceApp[IntakeDeps](
    service="intake",
    title="Filing",
    package=Path(__file__).parent,
    processors=processors,
    deps=open_deps,
    tasks=TASKS,
    routers=ROUTERS,
    links=LINKS,
    registration=REGISTRATION,
    demonstrate=demonstrate,
    refusals=(*refusals_in(refusals), TooLarge, WrongType),
    citizens=True,
    published=True,
    body_limits={"/new/": FORM_BYTES, "/cases/": FORM_BYTES},
    more=_more,
)
create_app = SERVICE.create_app

"""The dependencies of intake's pages and tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import FastAPI

from chassis.accounts.one_time_codes import OneTimeCodes
from chassis.privacy.documents.staging import Sweeper
from chassis.runtime.container import Container
from chassis.runtime.deps import Deps, deps_of
from chassis.runtime.message_gateway import MessageGateway
from services.intake.commands import IntakeCommand
from services.intake.decide import DECIDER, State
from services.intake.read import Cases


class IntakeDeps(Deps[Cases, IntakeCommand, State]):
    """Intake's queries and its command handler, on its container; and the key that signs receipts."""

    @cached_property
    def receipt_key(self) -> Ed25519PrivateKey:
        """Raises TypeError when the file holds a key of another kind."""
        key = load_pem_private_key((self.container.settings.keys / "receipt.pem").read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("receipt.pem holds no Ed25519 key")
        return key


def open_deps(container: Container) -> IntakeDeps:
    """The dependencies of a process of intake."""
    return IntakeDeps(container, Cases(container.db, container.log), container.handler(DECIDER))


deps = deps_of(IntakeDeps)


@asynccontextmanager
async def beside_the_pages(app: FastAPI, deps: IntakeDeps) -> AsyncIterator[None]:
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

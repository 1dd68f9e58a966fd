"""A service's door while it is open: what stands behind it, its inbox fed by the bus, and who may sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI

from chassis.bus import inbox
from chassis.bus.subscription import running_bus
from chassis.handling import APPENDED
from chassis.standing import Standing
from chassis.web.application import refuse_demonstration_accounts
from chassis.web.oidc.relying_party import relying_party
from chassis.web.watching import Status

METRICS: Final = (*inbox.METRICS, APPENDED)
"""What a service exports beside its requests."""


@asynccontextmanager
async def opened(
    app: FastAPI, stand: AbstractAsyncContextManager[Standing], *, roles: Sequence[str], citizens: bool = False
) -> AsyncIterator[Standing]:
    """Open a door on what a service stands on, and let its facts come in until it closes.

    `roles`: those of its staff; `citizens`: whether citizens sign in here too. Sets what `application` asks of a lifespan.
    Raises DemonstrationRefused, Unset, KeyFileMissing.
    """
    async with stand as here, here.inbox.running(), running_bus(here.ground, here.service, here.inbox):
        await refuse_demonstration_accounts(here.ground, here.accounts)
        app.state.here, app.state.sessions, app.state.accounts = here, here.sessions, here.accounts
        app.state.oidc = relying_party(
            here.ground,
            here.service,
            own=here.own,
            sessions=here.sessions,
            roles=roles,
            blind=here.vault.blind if citizens else None,
        )
        yield here


async def ready(app: FastAPI) -> dict[str, bool]:
    """Whether what the service behind an open door needs is there."""
    here: Standing = app.state.here
    return await here.ready()


async def status(app: FastAPI) -> Status:
    """How the service behind an open door is."""
    here: Standing = app.state.here
    return await here.status()

"""A service's door while it is open: what stands behind it, its inbox fed, and who may sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeVar

from fastapi import FastAPI

from chassis.bus import inbox
from chassis.bus.subscription import running_bus
from chassis.handling import APPENDED
from chassis.standing import ReadOnlyContainer
from chassis.web.application import refuse_demonstration_accounts
from chassis.web.codes import Blind
from chassis.web.oidc.relying_party import relying_party
from chassis.web.watching import Status

METRICS: Final = (*inbox.METRICS, APPENDED)
"""What a service that decides exports beside its requests."""
C = TypeVar("C", bound=ReadOnlyContainer)


@asynccontextmanager
async def opened(
    app: FastAPI, stand: AbstractAsyncContextManager[C], *, roles: Sequence[str], blind: Callable[[C], Blind] | None = None
) -> AsyncIterator[C]:
    """Open a door on what a service stands on, and let its facts come in until it closes.

    `roles`: those of its staff; `blind`: the keyed hash by which citizens are known, where they sign in here too. Sets what
    `application` asks of a lifespan. Raises DemonstrationRefused, Unset, KeyFileMissing.
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
            blind=blind(here) if blind else None,
        )
        yield here


async def ready(app: FastAPI) -> dict[str, bool]:
    """Whether what the service behind an open door needs is there."""
    here: ReadOnlyContainer = app.state.here
    needed = await here.ready()
    # A bus that is away is no reason to shut the door: the log repairs. One that refuses us is a mistake in the settings.
    return needed | {"bus": here.inbox.refused is None} if here.inbox.bus else needed


async def status(app: FastAPI) -> Status:
    """How the service behind an open door is."""
    here: ReadOnlyContainer = app.state.here
    return await here.status()

"""A service's door while it is open: what stands behind it, its inbox fed, and who may sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from fastapi import FastAPI

from chassis.accounts.accounts import refuse_demonstration_accounts
from chassis.accounts.oidc.relying_party import relying_party
from chassis.accounts.one_time_codes import Blind
from chassis.eventing.kafka.consumer import running_bus
from chassis.runtime.container import ReadOnlyContainer
from chassis.web.probes import Status

C = TypeVar("C", bound=ReadOnlyContainer)


@asynccontextmanager
async def service_lifespan(
    app: FastAPI, opening: AbstractAsyncContextManager[C], *, roles: Sequence[str], blind: Callable[[C], Blind] | None = None
) -> AsyncIterator[C]:
    """Open the container of a service to its web application, and let its facts come in until it closes.

    `roles`: those of its staff; `blind`: the keyed hash by which citizens are known, where they sign in here too. Sets what
    `application` asks of a lifespan. Raises DemonstrationRefused, Unset, KeyFileMissing.
    """
    async with (
        opening as container,
        container.inbox.running(),
        running_bus(container.settings, container.service, container.inbox, app.state.metrics),
    ):
        await refuse_demonstration_accounts(container.settings, container.accounts)
        app.state.container, app.state.sessions, app.state.accounts = container, container.sessions, container.accounts
        app.state.oidc = relying_party(
            container.settings,
            container.service,
            db=container.db,
            sessions=container.sessions,
            roles=roles,
            blind=blind(container) if blind else None,
        )
        yield container


async def ready(app: FastAPI) -> dict[str, bool]:
    """Whether what the service behind an open door needs is there."""
    container: ReadOnlyContainer = app.state.container
    needed = await container.ready()
    # A bus that is away is no reason to shut the door: the log repairs. One that refuses us is a mistake in the settings.
    return needed | {"bus": container.inbox.refused is None} if container.inbox.bus else needed


async def status(app: FastAPI) -> Status:
    """How the service behind an open door is."""
    container: ReadOnlyContainer = app.state.container
    return await container.status()

"""A service's door while it is open: what stands behind it, its inbox fed, and who may sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeVar

from fastapi import FastAPI
from prometheus_client.registry import Collector

from chassis.accounts.oidc.relying_party import relying_party
from chassis.accounts.one_time_codes import Blind
from chassis.eventing.agenda import worker
from chassis.eventing.agenda.worker import TaskHandler
from chassis.eventing.commands.handler import APPENDED
from chassis.eventing.kafka.consumer import running_bus
from chassis.eventing.processors import inbox
from chassis.runtime.agenda import running_agenda
from chassis.runtime.container import ReadOnlyContainer
from chassis.settings import Settings
from chassis.web.app import refuse_demonstration_accounts
from chassis.web.probes import Status

METRICS: Final = (*inbox.METRICS, APPENDED)
"""What a service that decides exports beside its requests."""
C = TypeVar("C", bound=ReadOnlyContainer)


def metrics_of(settings: Settings, service: str) -> tuple[Collector, ...]:
    """The same, with its agenda's where it carries that out itself."""
    return METRICS if service in settings.agenda_apart else (*METRICS, *worker.METRICS)


@asynccontextmanager
async def service_lifespan(
    app: FastAPI,
    opening: AbstractAsyncContextManager[C],
    *,
    roles: Sequence[str],
    blind: Callable[[C], Blind] | None = None,
    reactions: Callable[[C], Mapping[str, TaskHandler]] | None = None,
) -> AsyncIterator[C]:
    """Open a door on what a service stands on; let its facts come in, and carry out what it owes, until it closes.

    `roles`: those of its staff; `blind`: the keyed hash by which citizens are known, where they sign in here too; `reactions`:
    the handlers of its agenda, if it has one. Sets what `application` asks of a lifespan. Raises DemonstrationRefused, Unset,
    KeyFileMissing.
    """
    async with (
        opening as container,
        container.inbox.running(),
        running_bus(container.settings, container.service, container.inbox),
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
        if reactions is None or container.service in container.settings.agenda_apart:
            yield container
            return
        async with running_agenda(container, reactions(container)):
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

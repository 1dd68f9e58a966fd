"""A service as its app.py declares it, by tables alone; from them its web application and its agenda worker are made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from fastapi import APIRouter, FastAPI
from prometheus_client.registry import Collector

from chassis.accounts.oidc.relying_party import check
from chassis.accounts.one_time_codes import Blind
from chassis.accounts.registration import Registration
from chassis.accounts.routers import sign_in_routers
from chassis.eventing.agenda import worker as agenda
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import TaskHandler
from chassis.eventing.commands.handler import APPENDED
from chassis.eventing.kafka.connection import KafkaConnection
from chassis.eventing.processors import inbox
from chassis.eventing.processors.processor import EventProcessor
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from chassis.refusal import Refusal
from chassis.runtime.agenda import running_agenda
from chassis.runtime.container import Container, ReadOnlyContainer, open_container, open_read_only_container
from chassis.runtime.lifespan import ready, service_lifespan, status
from chassis.settings import Settings
from chassis.web.app import create_probe_app, create_web_app
from chassis.web.pages import Link

K = TypeVar("K", bound=ReadOnlyContainer)
D = TypeVar("D")


@asynccontextmanager
async def _nothing_more(_app: FastAPI, _deps: object) -> AsyncIterator[None]:
    yield


@dataclass(frozen=True, kw_only=True)
class Service(ABC, Generic[K, D]):
    """What both kinds of service declare."""

    service: str
    title: str
    """English; a message id."""
    package: Path
    """The service's folder: migrations/, templates/, locale/."""
    deps: Callable[[K], D]
    """What its pages and tasks are given."""
    routers: Sequence[APIRouter]
    registration: Registration
    demonstrate: Callable[[K], Awaitable[None]]
    """Makes the demonstration's people; asked again, it changes nothing."""
    links: Sequence[Link] = ()
    issued_roles: Sequence[str] | None = None
    """The roles that an issuer of OpenID Connect may give here; None: all those that can be registered."""
    refusals: tuple[type[Refusal], ...] = ()
    """What its decisions refuse: why its work may be parked."""
    refused_at_door: tuple[type[Refusal], ...] | None = None
    """What its pages may refuse by its rules; None: whatever its decisions refuse."""
    published: bool = False
    """Whether systems outside the house use its door."""
    body_limits: Mapping[str, int] = field(default_factory=dict)
    """Path prefix -> bytes of a request's body, where it may be larger than usual."""
    more: Callable[[FastAPI, D], AbstractAsyncContextManager[None]] = _nothing_more
    """What else its door has open while it is."""

    @abstractmethod
    def open_container(self, settings: Settings) -> AbstractAsyncContextManager[K]:
        """The adapters of one process of it."""

    def blind(self) -> Callable[[K], Blind] | None:
        """The keyed hash by which citizens are known, where they sign in here."""
        return None

    @asynccontextmanager
    async def working(self, _container: K, _deps: D) -> AsyncIterator[None]:
        """What its process does beside answering, while its door is open."""
        yield

    def metrics(self, _settings: Settings) -> Sequence[Collector]:
        """What its door exports beside the requests."""
        return inbox.METRICS

    def check(self, settings: Settings) -> None:
        """Raise Unset or KeyFileMissing for what it could not do with: here, since a reason inside the application is lost."""
        check(settings, self.service)

    def create_app(self, settings: Settings) -> FastAPI:
        """Its web application, with its inbox."""

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            opening = self.open_container(settings)
            roles = self.registration.roles if self.issued_roles is None else self.issued_roles
            async with service_lifespan(app, opening, roles=roles, blind=self.blind()) as container:
                app.state.deps = self.deps(container)
                async with self.more(app, app.state.deps), self.working(container, app.state.deps):
                    yield

        citizens = self.blind() is not None
        return create_web_app(
            service=self.service,
            title=self.title,
            settings=settings,
            lifespan=lifespan,
            routers=self.routers,
            sign_in=sign_in_routers(settings, citizens=citizens),
            package=self.package,
            ready=ready,
            status=status,
            metrics=self.metrics(settings),
            refusals=self.refusals if self.refused_at_door is None else self.refused_at_door,
            links=self.links,
            citizens=citizens,
            published=self.published,
            body_limits=self.body_limits,
        )


@dataclass(frozen=True, kw_only=True)
class ReadOnlyServiceApp(Service[ReadOnlyContainer, D]):
    """A service that reads the log and decides nothing."""

    processors: Callable[[VaultKeys], Sequence[EventProcessor]]

    def open_container(self, settings: Settings) -> AbstractAsyncContextManager[ReadOnlyContainer]:
        """The adapters of one process of it."""
        return open_read_only_container(settings, self.service, self.processors)


@dataclass(frozen=True, kw_only=True)
class ServiceApp(Service[Container, D]):
    """A service that decides: it listens to the bus, and has an agenda."""

    processors: Callable[[Vault], Sequence[EventProcessor]]
    tasks: Mapping[str, Callable[[ClaimedTask, D], Awaitable[None]]]
    """How each task of its agenda is carried out, by the reaction that caused it."""
    citizens: bool = False
    """Whether citizens sign in here too."""

    def open_container(self, settings: Settings) -> AbstractAsyncContextManager[Container]:
        """The adapters of one process of it."""
        return open_container(settings, self.service, self.processors)

    def blind(self) -> Callable[[Container], Blind] | None:
        """The keyed hash by which citizens are known, where they sign in here."""
        return (lambda container: container.vault.blind) if self.citizens else None

    def agenda_apart(self, settings: Settings) -> bool:
        """Whether its agenda is carried out by a process of its own."""
        return self.service in settings.agenda_apart

    @asynccontextmanager
    async def working(self, container: Container, deps: D) -> AsyncIterator[None]:
        """Carry out its agenda, unless a process of its own does."""
        if self.agenda_apart(container.settings):
            yield
            return
        async with running_agenda(container, self.task_handlers(deps)):
            yield

    def metrics(self, settings: Settings) -> Sequence[Collector]:
        """What its door exports beside the requests: also its agenda's figures where it carries that out itself."""
        door = (*inbox.METRICS, APPENDED)
        return door if self.agenda_apart(settings) else (*door, *agenda.METRICS)

    def check(self, settings: Settings) -> None:
        """The same, and its way to Kafka."""
        if settings.bus:
            KafkaConnection.of(settings)
        super().check(settings)

    def task_handlers(self, deps: D) -> Mapping[str, TaskHandler]:
        """The table `tasks`, each with the dependencies of this process."""

        async def carry_out(work: Callable[[ClaimedTask, D], Awaitable[None]], task: ClaimedTask) -> None:
            await work(task, deps)

        return {name: partial(carry_out, work) for name, work in self.tasks.items()}

    def create_agenda_app(self, settings: Settings) -> FastAPI:
        """Its agenda worker behind /health and /ready."""

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            async with (
                self.open_container(settings) as container,
                running_agenda(container, self.task_handlers(self.deps(container))) as worker,
            ):
                app.state.worker, app.state.container = worker, container
                yield

        async def is_ready(app: FastAPI) -> dict[str, bool]:
            return {"gate": app.state.worker.state.gate_passed, **await app.state.container.ready()}

        return create_probe_app(process="agenda", lifespan=lifespan, ready=is_ready, metrics=(*agenda.METRICS, APPENDED))

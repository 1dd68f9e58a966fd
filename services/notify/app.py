"""Notify, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from chassis.accounts.accounts import Account
from chassis.accounts.registration import Registration
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import TaskHandler
from chassis.refusal import Stale
from chassis.runtime.cli import ServiceApp
from chassis.runtime.container import Container, open_container
from chassis.runtime.lifespan import metrics_of, ready, service_lifespan, status
from chassis.runtime.message_gateway import ChannelRefused, MessageGateway
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.i18n import OWN_LOCALE, Translations
from chassis.web.pages import Link
from schemas.facts import decode
from schemas.facts.intake import CaseSubmitted
from services.notify.commands import NotifyCommand, RecordFailed, RecordSent
from services.notify.decide import NoAddress
from services.notify.handle import Handling
from services.notify.pages import REFUSALS, Deps, router
from services.notify.reactions import processors
from services.notify.read import Messages
from services.notify.settings import PACKAGE, TITLE

ROLES = ("operator",)
"""The staff of this desk (domain.md, Who acts)."""
LINKS = (Link("/", "Messages"),)


def open_service(settings: Settings) -> AbstractAsyncContextManager[Container]:
    """Notify's adapters."""
    return open_container(settings, "notify", processors)


def create_app(settings: Settings) -> FastAPI:
    """Notify's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service_lifespan(app, open_service(settings), roles=ROLES, reactions=reactions) as container:
            app.state.deps = Deps(container, Messages(container.db))
            yield

    return create_web_app(
        service="notify",
        title=TITLE,
        settings=settings,
        lifespan=lifespan,
        routers=(router,),
        package=PACKAGE,
        ready=ready,
        status=status,
        metrics=metrics_of(settings, "notify"),
        links=LINKS,
    )


def reactions(container: Container) -> Mapping[str, TaskHandler]:
    """What notify owes, by reaction: a message by one channel."""
    handling, gateway = (
        Handling(container.handler, container.vault),
        MessageGateway(container.settings.outbox, container.settings.smtp),
    )
    words = Translations([OWN_LOCALE, PACKAGE / "locale"])

    async def contact(task: ClaimedTask) -> dict[str, str]:
        first = (await container.log.stream(task.stream, until_version=1))[0]
        submitted = decode(first.type, first.type_version, first.body)
        if not isinstance(submitted, CaseSubmitted):
            raise NoAddress
        return await container.vault.open(first, "contact", submitted.contact)

    async def send(task: ClaimedTask, channel: str) -> None:
        template, key = task.details["template"], task.id.hex()
        told = {"template": template, "channel": channel, "about": str(task.cause)}
        record: NotifyCommand = RecordSent(**told, key=key)
        try:
            await _hand_over(task, channel, template, key)
        except (NoAddress, ChannelRefused) as refusal:
            record = RecordFailed(**told, reason=refusal.code)
        await handling.by_agenda(record, task)

    async def _hand_over(task: ClaimedTask, channel: str, template: str, key: str) -> None:
        if channel == "inapp":
            return  # the record itself is what the portal shows
        where = f"{container.settings.public_url('intake')}/cases/{task.stream.removeprefix('case:')}"
        text = words.text("fa", f"message.{template}") + "\n" + where
        address = (await contact(task)).get("mobile" if channel == "sms" else "email", "")
        if not address and channel == "email":
            raise Stale  # an e-mail address is optional: nothing was owed to whom gave none
        if not address:
            raise NoAddress
        if channel == "sms":
            await gateway.sms(address, text, key)
        else:
            await gateway.email(address, words.text("fa", "message.subject"), text, key)

    async def send_inapp(task: ClaimedTask) -> None:
        await send(task, "inapp")

    async def send_sms(task: ClaimedTask) -> None:
        await send(task, "sms")

    async def send_email(task: ClaimedTask) -> None:
        await send(task, "email")

    return {"send_inapp": send_inapp, "send_sms": send_sms, "send_email": send_email}


async def demonstrate(container: Container) -> None:
    """The demonstration account of the desk; asked again, it changes nothing."""
    account = Account("operator-1", "operator1", "operator1-demo", "operator", "کاربر اطلاع‌رسانی")
    await container.accounts.put([account], demonstration=True)


PROCESS = ServiceApp(
    service="notify",
    package=PACKAGE,
    open_container=open_service,
    create_app=create_app,
    reactions=reactions,
    demonstrate=demonstrate,
    registration=Registration(ROLES),
    refusals=REFUSALS,
)

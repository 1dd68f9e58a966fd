"""Notify, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from chassis.agenda.items import Item
from chassis.agenda.worker import CarryOut
from chassis.enrolling.enrolment import Enrolment
from chassis.opening import METRICS, opened, ready, status
from chassis.process import Process
from chassis.refusal import Stale
from chassis.senders import ChannelRefused, Outbox
from chassis.settings import Ground
from chassis.standing import Standing, standing
from chassis.web.accounts import Account
from chassis.web.application import application
from chassis.web.language import OWN_LOCALE, Words
from chassis.web.pages import Link
from schemas.facts import decode
from schemas.facts.intake import CaseSubmitted
from services.notify.commands import NotifyCommand, RecordFailed, RecordSent
from services.notify.consume import readers
from services.notify.decide import NoAddress
from services.notify.handle import Handling
from services.notify.pages import REFUSALS, Room, router
from services.notify.read import Messages
from services.notify.settings import ROOM, TITLE

ROLES = ("operator",)
"""The staff of this desk (domain.md, Who acts)."""
LINKS = (Link("/", "Messages"),)


def stand(ground: Ground) -> AbstractAsyncContextManager[Standing]:
    """Notify's adapters."""
    return standing(ground, "notify", readers)


def door(ground: Ground) -> FastAPI:
    """Notify's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(app, stand(ground), roles=ROLES) as here:
            app.state.room = Room(here, Messages(here.own))
            yield

    return application(
        service="notify",
        title=TITLE,
        ground=ground,
        lifespan=lifespan,
        routers=(router,),
        room=ROOM,
        ready=ready,
        status=status,
        metrics=METRICS,
        links=LINKS,
    )


def reactions(here: Standing) -> Mapping[str, CarryOut]:
    """What notify owes, by reaction: a message by one channel."""
    handling, outbox = Handling(here.handler, here.vault), Outbox(here.ground.outbox, here.ground.smtp)
    words = Words([OWN_LOCALE, ROOM / "locale"])

    async def contact(item: Item) -> dict[str, str]:
        first = (await here.log.stream(item.stream, until_version=1))[0]
        submitted = decode(first.type, first.type_version, first.body)
        if not isinstance(submitted, CaseSubmitted):
            raise NoAddress
        return await here.vault.open(first, "contact", submitted.contact)

    async def send(item: Item, channel: str) -> None:
        template, key = item.details["template"], item.id.hex()
        told = {"template": template, "channel": channel, "about": str(item.cause)}
        record: NotifyCommand = RecordSent(**told, key=key)
        try:
            await _hand_over(item, channel, template, key)
        except (NoAddress, ChannelRefused) as refusal:
            record = RecordFailed(**told, reason=refusal.code)
        await handling.by_agenda(record, item)

    async def _hand_over(item: Item, channel: str, template: str, key: str) -> None:
        if channel == "inapp":
            return  # the record itself is what the portal shows
        where = f"{here.ground.door('intake')}/cases/{item.stream.removeprefix('case:')}"
        text = words.text("fa", f"message.{template}") + "\n" + where
        address = (await contact(item)).get("mobile" if channel == "sms" else "email", "")
        if not address and channel == "email":
            raise Stale  # an e-mail address is optional: nothing was owed to whom gave none
        if not address:
            raise NoAddress
        if channel == "sms":
            await outbox.sms(address, text, key)
        else:
            await outbox.email(address, words.text("fa", "message.subject"), text, key)

    async def send_inapp(item: Item) -> None:
        await send(item, "inapp")

    async def send_sms(item: Item) -> None:
        await send(item, "sms")

    async def send_email(item: Item) -> None:
        await send(item, "email")

    return {"send_inapp": send_inapp, "send_sms": send_sms, "send_email": send_email}


async def demonstrate(here: Standing) -> None:
    """The demonstration account of the desk; asked again, it changes nothing."""
    account = Account("operator-1", "operator1", "operator1-demo", "operator", "کاربر اطلاع‌رسانی")
    await here.accounts.put([account], demonstration=True)


PROCESS = Process(
    service="notify",
    room=ROOM,
    stand=stand,
    door=door,
    reactions=reactions,
    demonstrate=demonstrate,
    enrolment=Enrolment(ROLES),
    refusals=REFUSALS,
)

"""How each task of notify's agenda is carried out: a message by one channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from chassis.eventing.agenda.task import ClaimedTask
from chassis.refusal import Stale
from chassis.runtime.message_gateway import ChannelRefused
from schemas.facts import decode
from schemas.facts.intake import CaseSubmitted
from services.notify.commands import NotifyCommand, RecordFailed, RecordSent
from services.notify.decide import NoAddress
from services.notify.deps import NotifyDeps


async def send_inapp(task: ClaimedTask, deps: NotifyDeps) -> None:
    await _send(task, deps, "inapp")


async def send_sms(task: ClaimedTask, deps: NotifyDeps) -> None:
    await _send(task, deps, "sms")


async def send_email(task: ClaimedTask, deps: NotifyDeps) -> None:
    await _send(task, deps, "email")


async def _send(task: ClaimedTask, deps: NotifyDeps, channel: str) -> None:
    template, key = task.details["template"], task.id.hex()
    told = {"template": template, "channel": channel, "about": str(task.cause)}
    record: NotifyCommand = RecordSent(**told, key=key)
    try:
        await _hand_over(task, deps, channel, template, key)
    except (NoAddress, ChannelRefused) as refusal:
        record = RecordFailed(**told, reason=refusal.code)
    await deps.handler.execute_task(record, task)


async def _hand_over(task: ClaimedTask, deps: NotifyDeps, channel: str, template: str, key: str) -> None:
    if channel == "inapp":
        return  # the record itself is what the portal shows
    where = f"{deps.container.settings.public_url('intake')}/cases/{task.stream.removeprefix('case:')}"
    text = deps.translations.text("fa", f"message.{template}") + "\n" + where
    address = (await _contact(task, deps)).get("mobile" if channel == "sms" else "email", "")
    if not address and channel == "email":
        raise Stale  # an e-mail address is optional: nothing was promised to whom gave none
    if not address:
        raise NoAddress
    if channel == "sms":
        await deps.gateway.sms(address, text, key)
    else:
        await deps.gateway.email(address, deps.translations.text("fa", "message.subject"), text, key)


async def _contact(task: ClaimedTask, deps: NotifyDeps) -> dict[str, str]:
    first = (await deps.container.log.stream(task.stream, until_version=1))[0]
    submitted = decode(first.type, first.type_version, first.body)
    if not isinstance(submitted, CaseSubmitted):
        raise NoAddress
    return await deps.container.vault.open(first, "contact", submitted.contact)


TASKS: Final[Mapping[str, Callable[[ClaimedTask, NotifyDeps], Awaitable[None]]]] = {
    "send_inapp": send_inapp,
    "send_sms": send_sms,
    "send_email": send_email,
}

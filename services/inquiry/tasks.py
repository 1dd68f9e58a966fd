"""How each task of inquiry's agenda is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from chassis.eventing.agenda.task import ClaimedTask
from services.inquiry.commands import EscalateInquiry, OpenInquiry
from services.inquiry.deps import InquiryDeps


async def open_inquiry(task: ClaimedTask, deps: InquiryDeps) -> None:
    await deps.handler.execute_task(OpenInquiry(inquiry_id=task.key), task)


async def escalate_inquiry(task: ClaimedTask, deps: InquiryDeps) -> None:
    await deps.handler.execute_task(EscalateInquiry(inquiry_id=task.key), task)


TASKS: Final[Mapping[str, Callable[[ClaimedTask, InquiryDeps], Awaitable[None]]]] = {
    "open_inquiry": open_inquiry,
    "escalate_inquiry": escalate_inquiry,
}

"""Inquiry's processors, and its reactions: the tasks that each fact causes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.eventing.agenda.processor import agenda_processor
from chassis.eventing.agenda.task import CancelTask, Task
from chassis.eventing.processors.processor import EventProcessor
from chassis.privacy.vault import Vault
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.facts import CODEC, inquiry, review
from services.inquiry.project import projection

VERSION: Final = 1


def processors(_vault: Vault) -> Sequence[EventProcessor]:
    """Every processor of inquiry."""
    return (projection(), agenda_processor("inquiry", VERSION, react, codec=CODEC))


def react(fact: Fact, _recorded: RecordedFact) -> list[Task | CancelTask]:
    """The tasks that `fact` causes or cancels."""
    match fact:
        case review.InquiryRequested():
            return [Task("open_inquiry", key=fact.inquiry_id)]
        case inquiry.InquiryOpened():
            return [Task("escalate_inquiry", key=fact.inquiry_id, due_at=fact.deadline.due_at)]
        case inquiry.InquiryAnswered() | review.InquiryWithdrawn():
            return [CancelTask("escalate_inquiry", key=fact.inquiry_id)]
        case _:
            return []  # a timer made obsolete by the end of the case closes as stale when due

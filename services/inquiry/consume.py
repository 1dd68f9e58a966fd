"""Inquiry's bus door: what it builds from the facts, and what it owes because of them."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.agenda.items import Cancel, Owed
from chassis.agenda.reader import agenda_reader
from chassis.bus.readers import Reader
from chassis.vault.vault import Vault
from schemas.envelope import Recorded
from schemas.facts import AnyFact, inquiry, review
from services.inquiry.project import projection


def readers(_vault: Vault) -> Sequence[Reader]:
    """Every reader of inquiry."""
    return (projection(), agenda_reader("inquiry", 1, owe))


def owe(fact: AnyFact, _recorded: Recorded) -> list[Owed | Cancel]:
    """What `fact` makes owed, or takes off the agenda."""
    match fact:
        case review.InquiryRequested():
            return [Owed("open_inquiry", key=fact.inquiry_id)]
        case inquiry.InquiryOpened():
            return [Owed("escalate_inquiry", key=fact.inquiry_id, due_at=fact.deadline.due_at)]
        case inquiry.InquiryAnswered() | review.InquiryWithdrawn():
            return [Cancel("escalate_inquiry", key=fact.inquiry_id)]
        case _:
            return []  # a timer that the end of the case made needless closes as stale when it is due

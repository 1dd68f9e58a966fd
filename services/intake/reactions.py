"""Intake's processors, and its reactions: the tasks that each fact causes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.eventing.agenda.processor import agenda_processor
from chassis.eventing.agenda.task import CancelTask, Task
from chassis.eventing.processors.processor import EventProcessor
from chassis.privacy.vault import Vault
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.facts import CODEC, intake, review
from services.intake.project import projection

VERSION: Final = 1


def processors(vault: Vault) -> Sequence[EventProcessor]:
    """Every processor of intake."""
    return (projection(vault), agenda_processor("intake", VERSION, react, codec=CODEC))


def react(fact: Fact, _recorded: RecordedFact) -> list[Task | CancelTask]:
    """The tasks that `fact` causes or cancels."""
    match fact:
        case review.CaseApproved():
            return [Task("issue_certificate")]
        case intake.IdentityQuestioned():
            return [Task("escalate_identity", key=str(fact.round), due_at=fact.deadline.due_at)]
        case intake.IdentityAnswered():
            return [CancelTask("escalate_identity", key=str(fact.round))]
        case _:
            return []  # a timer made obsolete by a withdrawal closes as stale when due

"""Intake's bus door: what it builds from the facts, and what it owes because of them."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.agenda.items import Cancel, Owed
from chassis.agenda.reader import agenda_reader
from chassis.bus.readers import Reader
from chassis.vault.vault import Vault
from schemas.envelope import Recorded
from schemas.facts import AnyFact, intake, review
from services.intake.project import projection


def readers(vault: Vault) -> Sequence[Reader]:
    """Every reader of intake."""
    return (projection(vault), agenda_reader("intake", 1, owe))


def owe(fact: AnyFact, _recorded: Recorded) -> list[Owed | Cancel]:
    """What `fact` makes owed, or takes off the agenda."""
    match fact:
        case review.CaseApproved():
            return [Owed("issue_certificate")]
        case intake.IdentityQuestioned():
            return [Owed("escalate_identity", key=str(fact.round), due_at=fact.deadline.due_at)]
        case intake.IdentityAnswered():
            return [Cancel("escalate_identity", key=str(fact.round))]
        case _:
            return []  # a timer that a withdrawal made needless closes as stale when it is due

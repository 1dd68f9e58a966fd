"""Review's bus door: what it builds from the facts, and what it owes because of them."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.agenda.items import Cancel, Owed
from chassis.agenda.reader import agenda_reader
from chassis.bus.readers import Reader
from chassis.vault.vault import Vault
from schemas.envelope import Recorded
from schemas.facts import AnyFact, intake, review
from services.review.project import projection


def readers(_vault: Vault) -> Sequence[Reader]:
    """Every reader of review."""
    return (projection(), agenda_reader("review", 2, owe))


def owe(fact: AnyFact, _recorded: Recorded) -> list[Owed | Cancel]:
    """What `fact` makes owed, or takes off the agenda."""
    match fact:
        case intake.CaseSubmitted():
            return [Owed("set_target")]
        case review.TargetSet():
            return [Owed("pass_target", due_at=fact.deadline.due_at)]
        case intake.IdentityConfirmed() | review.AssignmentRefused():
            return [Owed("commit_draw")]
        case review.DrawCommitted():
            return [Owed("make_draw", key=str(fact.round))]
        case review.DrawMade():
            return [Owed("check_drawn")]  # who left between the pool and the draw can still be drawn
        case review.ReviewerRetired():
            return [Owed("take_back")]
        case review.CorrectionRequested():
            return [Owed("escalate_correction", key=str(fact.round), due_at=fact.deadline.due_at)]
        case intake.CorrectionAnswered():
            return [Cancel("escalate_correction", key=str(fact.round))]
        case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
            return [Cancel("pass_target"), Cancel("check_drawn")]
        case _:
            return []  # a timer that became needless otherwise closes as stale when it is due

"""Review's processors, and its reactions: the tasks that each fact causes."""

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
from services.review.project import projection

VERSION: Final = 2


def processors(_vault: Vault) -> Sequence[EventProcessor]:
    """Every processor of review."""
    return (projection(), agenda_processor("review", VERSION, react, codec=CODEC))


def react(fact: Fact, _recorded: RecordedFact) -> list[Task | CancelTask]:
    """The tasks that `fact` causes or cancels."""
    match fact:
        case intake.CaseSubmitted():
            return [Task("set_target")]
        case review.TargetSet():
            return [Task("pass_target", due_at=fact.deadline.due_at)]
        case intake.IdentityConfirmed() | review.AssignmentRefused():
            return [Task("commit_draw")]
        case review.DrawCommitted():
            return [Task("make_draw", key=str(fact.round))]
        case review.DrawMade():
            return [Task("check_drawn")]  # who left between the pool and the draw can still be drawn
        case review.ReviewerRetired():
            return [Task("take_back")]
        case review.CorrectionRequested():
            return [Task("escalate_correction", key=str(fact.round), due_at=fact.deadline.due_at)]
        case intake.CorrectionAnswered():
            return [CancelTask("escalate_correction", key=str(fact.round))]
        case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
            return [CancelTask("pass_target"), CancelTask("check_drawn")]
        case _:
            return []  # a timer that became needless otherwise closes as stale when it is due

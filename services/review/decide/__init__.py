"""Review's decisions, pure. It never sees identity or contact; notes are sealed under the applicant's alias in this case."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from chassis.eventing.commands.decider import Decider
from chassis.refusal import NotDue, Stale
from schemas.catalogue import catalogue
from schemas.clocks import Holder
from schemas.envelope.calendar import IRAN, WorkingTime
from schemas.envelope.fact import Fact
from schemas.facts import CODEC, review
from services.review import commands as c
from services.review.decide.checks import code, exists, running, yours
from services.review.decide.draws import draw
from services.review.decide.state import State, evolve
from services.review.decide.steps import end, work
from services.review.refusals import AlreadyEnrolled, CaseIsNotSuspended, InvalidField, NotEnrolled

__all__ = ["DECIDER", "State", "decide", "evolve"]


def decide(command: c.ReviewCommand, state: State, at: datetime, *, working_time: WorkingTime = IRAN) -> list[Fact]:
    """The facts that `command` causes; `working_time`: the calendar. Raises a Refusal."""
    match command:
        case c.EnrolReviewer() | c.RetireReviewer():
            return _staff(command, state)
        case c.OpenMaterial():
            exists(state)
            if not command.what:
                raise InvalidField("what")
            return [review.MaterialOpened(what=command.what, reason=code("openings", command.reason, "reason"))]
        case c.SetTarget() | c.PassTarget() | c.EscalateCorrection():
            return _time(command, state, at, working_time)
        case c.CommitDraw() | c.MakeDraw() | c.RefuseAssignment() | c.TakeBack():
            return draw(command, state)
        case c.ResumeCase():
            running(state)
            if not state.suspended:
                raise CaseIsNotSuspended
            return [review.CaseResumed(reason=code("resumptions", command.reason, "reason"))]
        case c.RequestCorrection() | c.RequestInquiry() | c.WithdrawInquiry() | c.SuspendCase():
            yours(state, command.reviewer)
            return work(command, state, at, working_time)
        case c.ApproveCase() | c.RejectCase():
            yours(state, command.reviewer)
            return end(command, state)
        case _:
            assert_never(command)


def _time(
    command: c.SetTarget | c.PassTarget | c.EscalateCorrection, state: State, at: datetime, working_time: WorkingTime
) -> list[Fact]:
    if not state.request_type or state.ended:
        raise Stale
    match command:
        case c.SetTarget():
            if state.target is not None or state.submitted_at is None:
                raise Stale
            # From the filing: an agenda that was down for a day must not give the city an extra day.
            target = working_time.deadline(state.submitted_at, catalogue().types[state.request_type].target_days)
            return [review.TargetSet(deadline=target)]
        case c.PassTarget():
            if state.target is None or state.target_passed:
                raise Stale
            spent = state.clocks.at(at)
            # Only the city's clock counts against the target: the time of others is added (domain.md, Time).
            due = state.target + spent[Holder.CITIZEN] + spent[Holder.AGENCY] + spent[Holder.SUSPENDED]
            if at < due:
                raise NotDue(due)
            return [review.TargetPassed(due_at=due)]
        case c.EscalateCorrection():
            waits = state.correction_open and not state.correction_overdue
            if not waits or state.correction_round != command.round or state.correction_due is None:
                raise Stale
            if at < state.correction_due:
                raise NotDue(state.correction_due)  # a timer of another clock must not declare a deadline passed
            return [review.CorrectionOverdue(round=command.round, due_at=state.correction_due)]


def _staff(command: c.EnrolReviewer | c.RetireReviewer, state: State) -> list[Fact]:
    match command:
        case c.EnrolReviewer():
            if state.enrolled:
                raise AlreadyEnrolled
            if not command.districts or not set(command.districts) <= {1, 2, 3, 4, 5}:
                raise InvalidField("districts")
            decided_in = {kind.decided_in for kind in catalogue().types.values()}
            if not set(command.stages) <= decided_in:
                raise InvalidField("stages")  # one who waits for a stage that no case has would never be drawn
            if not 1 <= command.weight <= 100:
                raise InvalidField("weight")
            return [
                review.ReviewerEnrolled(
                    districts=command.districts, stages=command.stages, weight=command.weight, office=command.office
                )
            ]
        case c.RetireReviewer():
            if not state.enrolled:
                raise NotEnrolled
            return [review.ReviewerRetired(reason=code("retirements", command.reason, "reason"))]


DECIDER: Final = Decider[c.ReviewCommand, State](State(), evolve, decide, CODEC)
"""Review's decider."""

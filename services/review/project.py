"""Facts into review's rows: one named query for each, no rules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from caselog.queries import Queries
from chassis.bus.readers import Reader
from schemas.envelope import Recorded
from schemas.facts import AnyFact, inquiry, intake, review

NAME: Final = "cases"
VERSION: Final = 1


def projection() -> Reader:
    """The reader of review's rows."""
    sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def apply(connection: asyncpg.Connection, fact: AnyFact, recorded: Recorded) -> None:
        match recorded.stream.partition(":")[0]:
            case "case":
                await _case(connection, sql, fact, recorded)
                await _escalation(connection, sql, fact, recorded)
                await connection.execute(sql.touch, recorded.stream, recorded.version)
            case "staff":
                await _staff(connection, sql, fact, recorded.stream.partition(":")[2])

    return Reader(NAME, VERSION, apply, {"cases": "*", "reviewers": "*", "escalations": "*"})


async def _case(connection: asyncpg.Connection, sql: Queries, fact: AnyFact, recorded: Recorded) -> None:
    stream, at = recorded.stream, recorded.recorded_at
    match fact:
        case intake.CaseSubmitted():
            await connection.execute(sql.put_case, stream, fact.request_type, fact.district, fact.office, at, recorded.version)
        case intake.IdentityConfirmed():
            await connection.execute(sql.confirm, stream)
        case review.TargetSet():
            await connection.execute(sql.set_target, stream, fact.deadline.due_at)
        case review.DrawCommitted():
            await connection.execute(sql.commit_draw, stream, fact.stage, fact.round)
        case review.DrawMade():
            await connection.execute(sql.make_draw, stream, fact.drawn, at)
        case review.AssignmentRefused():
            await connection.execute(sql.undraw, stream)
        case review.CorrectionRequested() | intake.CorrectionAnswered():
            await connection.execute(sql.set_correction, stream, isinstance(fact, review.CorrectionRequested))
        case review.InquiryRequested():
            await connection.execute(sql.open_inquiry, stream, fact.inquiry_id)
        case review.InquiryWithdrawn() | inquiry.InquiryAnswered():
            await connection.execute(sql.close_inquiry, stream, fact.inquiry_id)
        case review.CaseSuspended() | review.CaseResumed():
            await connection.execute(sql.set_suspended, stream, isinstance(fact, review.CaseSuspended))
        case intake.CaseWithdrawn():
            await connection.execute(sql.end_case, stream, "withdrawn")
        case review.CaseApproved():
            await connection.execute(sql.end_case, stream, "approved")
        case review.CaseRejected():
            await connection.execute(sql.end_case, stream, "rejected")
        case _:
            pass  # the other facts change no row of review; `touch` keeps the version


async def _escalation(connection: asyncpg.Connection, sql: Queries, fact: AnyFact, recorded: Recorded) -> None:
    match fact:
        case review.TargetPassed() | review.CorrectionOverdue() | intake.IdentityOverdue() | inquiry.InquiryOverdue():
            kind, due = recorded.type, fact.due_at
            await connection.execute(sql.escalate, recorded.stream, recorded.version, kind, due, recorded.recorded_at)
        case _:
            pass  # only a passed deadline is a supervisor's matter


async def _staff(connection: asyncpg.Connection, sql: Queries, fact: AnyFact, staff: str) -> None:
    match fact:
        case review.ReviewerEnrolled():
            await connection.execute(sql.put_reviewer, staff, list(fact.districts), list(fact.stages), fact.weight, fact.office)
        case review.ReviewerRetired():
            await connection.execute(sql.retire, staff)
        case _:
            pass  # no other fact stands on a staff stream

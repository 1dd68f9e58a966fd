"""Facts into inquiry's rows: one named query for each, no rules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from caselog.queries import Queries
from chassis.bus.readers import Reader
from schemas.envelope import Recorded
from schemas.facts import AnyFact, inquiry, intake, review

NAME: Final = "inquiries"
VERSION: Final = 1


def projection() -> Reader:
    """The reader of inquiry's rows."""
    sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def apply(connection: asyncpg.Connection, fact: AnyFact, recorded: Recorded) -> None:
        stream, at, version = recorded.stream, recorded.recorded_at, recorded.version
        match fact:
            case intake.CaseSubmitted():
                await connection.execute(sql.put_case, stream, fact.request_type, fact.district)
            case review.InquiryRequested():
                await connection.execute(sql.ask, stream, fact.inquiry_id, fact.agency, fact.question, fact.blocking, version)
            case inquiry.InquiryOpened():
                await connection.execute(sql.open, stream, fact.inquiry_id, at, fact.deadline.due_at, version)
            case inquiry.InquiryAnswered():
                await connection.execute(sql.answer, stream, fact.inquiry_id, fact.answer, version)
            case review.InquiryWithdrawn():
                await connection.execute(sql.withdraw, stream, fact.inquiry_id, version)
            case inquiry.InquiryOverdue():
                await connection.execute(sql.overdue, stream, fact.inquiry_id, version)
            case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
                await connection.execute(sql.end_case, stream, version)
            case inquiry.AgencyRegistered():
                await connection.execute(sql.put_agency, fact.agency, fact.name_fa, fact.name_en)
            case _:
                pass  # the other facts change no row of inquiry

    return Reader(NAME, VERSION, apply, {"inquiries": "*", "cases": "*", "agencies": "*"})

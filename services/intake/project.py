"""Facts into intake's rows: one named query for each, no rules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from caselog.queries import Queries
from chassis.bus.readers import Reader
from chassis.vault.vault import KeyGone, Vault
from chassis.web.codes import subject_of
from schemas.documents import Audience, DocumentRef
from schemas.envelope import Recorded
from schemas.facts import AnyFact, intake, notify, review

NAME: Final = "cases"
VERSION: Final = 2
_SQL: Final = Path(__file__).with_name("queries.sql")


def projection(vault: Vault) -> Reader:
    """The reader of intake's rows; the vault gives the blind index of the applicant."""
    sql = Queries.load(_SQL)

    async def apply(connection: asyncpg.Connection, fact: AnyFact, recorded: Recorded) -> None:
        if not recorded.stream.startswith("case:"):
            return
        await _apply(connection, sql, vault, fact, recorded)
        await connection.execute(sql.touch, recorded.stream, recorded.version, recorded.recorded_at)

    return Reader(NAME, VERSION, apply, {"cases": "*", "notices": "*"})


async def _apply(connection: asyncpg.Connection, sql: Queries, vault: Vault, fact: AnyFact, recorded: Recorded) -> None:
    stream = recorded.stream
    match fact:
        case intake.CaseSubmitted():
            await _submitted(connection, sql, vault, fact, recorded)
        case intake.IdentityConfirmed():
            await connection.execute(sql.set_identity, stream, "confirmed")
        case intake.IdentityQuestioned():
            await connection.execute(sql.set_identity, stream, "questioned")
        case intake.IdentityAnswered():
            await connection.execute(sql.set_identity, stream, "waiting")
            await connection.execute(sql.add_unreleased, stream, for_reviewer(fact.documents))
        case intake.CorrectionAnswered():
            await connection.execute(sql.set_correction, stream, False)
            await connection.execute(sql.add_unreleased, stream, for_reviewer(fact.documents))
        case intake.DocumentReleased():
            await connection.execute(sql.release, stream, fact.document_id)
        case review.CorrectionRequested():
            await connection.execute(sql.set_correction, stream, True)
        case review.CaseSuspended() | review.CaseResumed():
            await connection.execute(sql.set_suspended, stream, isinstance(fact, review.CaseSuspended))
        case review.DrawMade() | review.AssignmentRefused():
            await connection.execute(sql.set_drawn, stream, isinstance(fact, review.DrawMade))
        case intake.CaseWithdrawn():
            await connection.execute(sql.end_case, stream, "withdrawn")
        case review.CaseApproved():
            await connection.execute(sql.end_case, stream, "approved")
        case review.CaseRejected():
            await connection.execute(sql.end_case, stream, "rejected")
        case intake.CertificateIssued():
            await connection.execute(sql.set_certificate, stream, fact.certificate_id)
        case notify.MessageSent() | notify.MessageFailed():
            await _told(connection, sql, fact, recorded)
        case _:
            pass  # the other facts change no row of intake; `touch` keeps the version


async def _told(
    connection: asyncpg.Connection, sql: Queries, fact: notify.MessageSent | notify.MessageFailed, recorded: Recorded
) -> None:
    failed = fact.reason if isinstance(fact, notify.MessageFailed) else None
    way = (fact.about, fact.template, fact.recipient, fact.channel, failed)
    await connection.execute(sql.put_notice, recorded.stream, recorded.version, *way, recorded.recorded_at)


async def _submitted(
    connection: asyncpg.Connection, sql: Queries, vault: Vault, fact: intake.CaseSubmitted, recorded: Recorded
) -> None:
    try:
        identity = await vault.open(recorded, "identity", fact.identity)
        subject = subject_of(vault.blind("national_code", identity["national_code"]))
    except KeyGone:
        subject = None  # erased: a rebuild after an erasure must not fail, and must not find the person
    await connection.execute(
        sql.put_case,
        recorded.stream,
        vault.tracking_code(recorded.stream.removeprefix("case:")),
        subject,
        fact.request_type,
        fact.district,
        fact.channel.value,
        fact.office,
        fact.out_of_hours,
        recorded.recorded_at,
        for_reviewer(fact.documents),
        recorded.version,
    )


def for_reviewer(documents: tuple[DocumentRef, ...]) -> list[str]:
    """The ids of the documents whose copies the reviewer needs."""
    return [each.document_id for each in documents if each.audience is Audience.REVIEWER]

"""A case, or an office, as intake sees it: a fold over the facts of all writers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from schemas.envelope.documents import DocumentRef
from schemas.envelope.folds import StateFold
from schemas.facts import intake, review
from schemas.facts.intake import Channel


@dataclass(frozen=True, slots=True)
class State:
    """A case, or an office, as intake sees it; the defaults are the empty stream."""

    request_type: str = ""
    district: int = 0
    channel: Channel | None = None
    office: str | None = None
    applicant: str = ""
    consent: str | None = None
    """The key of the wording that the applicant consented to at an office's counter; None where consent was not asked for."""
    documents: dict[str, DocumentRef] = field(default_factory=dict)
    released: frozenset[str] = frozenset()
    confirmed: bool = False
    identity_round: int = 0
    identity_open: bool = False
    identity_due: datetime | None = None
    identity_overdue: bool = False
    correction_round: int = 0
    correction_open: bool = False
    correction_reasons: tuple[str, ...] = ()
    ended: str = ""
    """`withdrawn`, `approved` or `rejected`."""
    outcome: str = ""
    certificate: str = ""
    office_registered: bool = False


Relevant = (
    intake.CaseSubmitted
    | intake.IdentityConfirmed
    | intake.IdentityQuestioned
    | intake.IdentityAnswered
    | intake.IdentityOverdue
    | intake.DocumentReleased
    | intake.CorrectionAnswered
    | intake.CaseWithdrawn
    | intake.CertificateIssued
    | intake.OfficeRegistered
    | review.CorrectionRequested
    | review.CaseApproved
    | review.CaseRejected
)
"""The facts that intake's decisions depend on."""


@StateFold
def evolve(state: State, fact: Relevant, _at: datetime) -> State:
    """The state after `fact`."""
    match fact:
        case intake.CaseSubmitted():
            return replace(
                state,
                request_type=fact.request_type,
                district=fact.district,
                channel=fact.channel,
                office=fact.office,
                applicant=fact.applicant,
                consent=fact.consent,
                documents={each.document_id: each for each in fact.documents},
            )
        case intake.IdentityConfirmed():
            return replace(state, confirmed=True, identity_open=False)
        case intake.IdentityQuestioned():
            return replace(
                state, identity_round=fact.round, identity_open=True, identity_due=fact.deadline.due_at, identity_overdue=False
            )
        case intake.IdentityAnswered():
            return replace(state, identity_open=False, documents=_with(state, fact.documents))
        case intake.DocumentReleased():
            return replace(state, released=state.released | {fact.document_id})
        case intake.CorrectionAnswered():
            return replace(state, correction_open=False, documents=_with(state, fact.documents))
        case intake.CaseWithdrawn():
            return replace(state, ended="withdrawn", identity_open=False, correction_open=False)
        case intake.CertificateIssued():
            return replace(state, certificate=fact.certificate_id)
        case intake.OfficeRegistered():
            return replace(state, office_registered=True)
        case review.CorrectionRequested():
            return replace(state, correction_round=fact.round, correction_open=True, correction_reasons=fact.reasons)
        case review.CaseApproved():
            return replace(state, ended="approved", outcome=fact.outcome, identity_open=False, correction_open=False)
        case review.CaseRejected():
            return replace(state, ended="rejected", identity_open=False, correction_open=False)
        case intake.IdentityOverdue():
            return replace(state, identity_overdue=True)
        case _:
            assert_never(fact)


def _with(state: State, documents: Sequence[DocumentRef]) -> dict[str, DocumentRef]:
    return {**state.documents, **{each.document_id: each for each in documents}}

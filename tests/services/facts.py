"""Facts for stories."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.catalogue import catalogue
from schemas.envelope.deadline import Deadline
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.sealing import Sealed
from schemas.facts import AnyFact, inquiry, intake, review

DUE = Deadline(due_at=datetime(2026, 12, 20, 10, tzinfo=UTC), working_days=5, calendar_version=1)
SEALED = Sealed(key="k", box="b")


def ref(document_id: str, kind: str, audience: Audience = Audience.REVIEWER) -> DocumentRef:
    return DocumentRef(
        document_id=document_id, kind=kind, audience=audience, media_type="application/pdf", size=1, digest="0" * 64, key="k"
    )


def submitted(kind: str = "building_permit") -> intake.CaseSubmitted:
    papers = [paper for paper in catalogue().types[kind].documents if paper.required]
    return intake.CaseSubmitted(
        request_type=kind, catalogue_version=1, channel=intake.Channel.PORTAL, out_of_hours=False, district=2, applicant="app",
        identity=SEALED, contact=SEALED, property=SEALED,
        documents=tuple(ref(f"d-{paper.key}", paper.key, paper.audience) for paper in papers),
    )  # fmt: skip


def released(kind: str = "building_permit") -> list[intake.DocumentReleased]:
    return [
        intake.DocumentReleased(document_id=each.document_id, copy_of=ref(f"c-{each.kind}", each.kind))
        for each in submitted(kind).documents
        if each.audience is Audience.REVIEWER
    ]


def committed(round_: int = 1) -> review.DrawCommitted:
    pool = (review.Candidate(alias="me", weight=1), review.Candidate(alias="other", weight=1))
    witnesses = (review.WitnessKey(name="w", fingerprint="00"),)
    return review.DrawCommitted(stage="technical_review", round=round_, pool=pool, code_version=1, witnesses=witnesses)


def drawn(alias: str = "me", round_: int = 1) -> review.DrawMade:
    return review.DrawMade(
        stage="technical_review", round=round_, commitment="00" * 32, signatures=(), seed="00" * 32, drawn=alias
    )


CONFIRMED = intake.IdentityConfirmed()
QUESTIONED = intake.IdentityQuestioned(round=1, reasons=("expired",), deadline=DUE)
CORRECTION = review.CorrectionRequested(round=1, reasons=("plans_wrong",), deadline=DUE)
CORRECTED = intake.CorrectionAnswered(round=1, answer=SEALED)
REQUESTED = review.InquiryRequested(inquiry_id="q1", agency="fire", question="fire_safety")
OPENED = inquiry.InquiryOpened(inquiry_id="q1", agency="fire", question="fire_safety", blocking=True, deadline=DUE)
ANSWERED = inquiry.InquiryAnswered(inquiry_id="q1", answer="no_objection")
APPROVED = review.CaseApproved(stage="technical_review", outcome="permit")
REJECTED = review.CaseRejected(stage="technical_review", reasons=("unsafe",))
WITHDRAWN = intake.CaseWithdrawn(reason="sold")
SUSPENDED = review.CaseSuspended(reason="article_100")
RESUMED = review.CaseResumed(reason="violation_settled")
REFUSED = review.AssignmentRefused(stage="technical_review", round=1, reason="relative")


def in_review() -> list[AnyFact]:
    """A case up to the reviewer `me`, with all copies released."""
    return [submitted(), *released(), CONFIRMED, committed(), drawn()]

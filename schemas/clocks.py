"""The clocks of a case: whose time runs, from its facts alone. A pure fold that intake, review and audit share.

Exactly one runs at a time: suspended (nobody's) > citizen (a correction or papers are asked for) > agency (a blocking inquiry
is open) > city (design.md section 7). Only the city's counts against the target (domain.md, Time).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

from schemas.envelope.fact import Fact
from schemas.envelope.folds import StateFold
from schemas.facts import inquiry as inquiries
from schemas.facts import intake, review


class Holder(StrEnum):
    """Whose clock runs."""

    CITY = "city"
    CITIZEN = "citizen"
    AGENCY = "agency"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of one case after some of its facts."""

    since: datetime | None = None
    """When the current holder's time began; None before the case and after its end."""
    holder: Holder | None = None
    suspended: bool = False
    waits: frozenset[str] = frozenset()
    """Open waits of the citizen."""
    blocking: frozenset[str] = frozenset()
    """Open blocking inquiries."""
    spent: Mapping[str, timedelta] = field(default_factory=dict)
    """Holder -> elapsed time of closed stretches."""

    def at(self, now: datetime) -> dict[Holder, timedelta]:
        """Elapsed time of each holder up to `now`, the running stretch included."""
        totals = {holder: self.spent.get(holder, timedelta()) for holder in Holder}
        if self.holder is not None and self.since is not None:
            totals[self.holder] += now - self.since
        return totals


Moving = (
    intake.CaseSubmitted
    | intake.CaseWithdrawn
    | intake.IdentityQuestioned
    | intake.IdentityAnswered
    | intake.CorrectionAnswered
    | review.CaseApproved
    | review.CaseRejected
    | review.CaseSuspended
    | review.CaseResumed
    | review.CorrectionRequested
    | review.InquiryWithdrawn
    | inquiries.InquiryOpened
    | inquiries.InquiryAnswered
)
"""The facts that move a clock."""


@StateFold
def run(clocks: Clocks, fact: Moving, at: datetime) -> Clocks:
    """The clocks after `fact`, which was recorded at `at`."""
    match fact:
        case intake.CaseSubmitted():
            return replace(clocks, since=at, holder=Holder.CITY)
        case intake.CaseWithdrawn() | review.CaseApproved() | review.CaseRejected():
            return replace(_close(clocks, at), holder=None, since=None)
        case review.CaseSuspended():
            changed = replace(clocks, suspended=True)
        case review.CaseResumed():
            changed = replace(clocks, suspended=False)
        case intake.IdentityQuestioned():
            changed = replace(clocks, waits=clocks.waits | {"identity"})
        case intake.IdentityAnswered():
            changed = replace(clocks, waits=clocks.waits - {"identity"})
        case review.CorrectionRequested():
            changed = replace(clocks, waits=clocks.waits | {"correction"})
        case intake.CorrectionAnswered():
            changed = replace(clocks, waits=clocks.waits - {"correction"})
        case inquiries.InquiryOpened():
            changed = replace(clocks, blocking=clocks.blocking | {fact.inquiry_id}) if fact.blocking else clocks
        case inquiries.InquiryAnswered(inquiry_id=ended) | review.InquiryWithdrawn(inquiry_id=ended):
            changed = replace(clocks, blocking=clocks.blocking - {ended})
        case _:
            assert_never(fact)
    return _hand_over(changed, at)


def fold(facts: Iterable[tuple[Fact, datetime]]) -> Clocks:
    """The clocks of a case from all its facts in order."""
    clocks = Clocks()
    for fact, at in facts:
        clocks = run(clocks, fact, at)
    return clocks


def _hand_over(clocks: Clocks, at: datetime) -> Clocks:
    if clocks.holder is None:  # not begun, or ended
        return clocks
    holder = _holder(clocks)
    return clocks if holder == clocks.holder else replace(_close(clocks, at), holder=holder, since=at)


def _holder(clocks: Clocks) -> Holder:
    if clocks.suspended:
        return Holder.SUSPENDED
    if clocks.waits:
        return Holder.CITIZEN
    return Holder.AGENCY if clocks.blocking else Holder.CITY


def _close(clocks: Clocks, at: datetime) -> Clocks:
    if clocks.holder is None or clocks.since is None:
        return clocks
    so_far = clocks.spent.get(clocks.holder, timedelta())
    return replace(clocks, spent=MappingProxyType({**clocks.spent, clocks.holder: so_far + (at - clocks.since)}))

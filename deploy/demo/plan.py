"""The plan of one request, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Applicant:
    """An invented citizen."""

    national_code: str
    name: str
    mobile: str
    email: str = ""


@dataclass(frozen=True)
class Plan:
    """The course of one request."""

    kind: str
    district: int
    office: str | None
    applicant: Applicant
    correction: bool = False
    agency: str | None = None
    end: str = "approve"
    """`approve`, `reject` or `withdraw`."""
    papers: bool = False
    """The clerk asks for other papers first."""
    refusal: bool = False
    """The first reviewer has a conflict, and another is drawn."""
    suspension: bool = False
    """The case goes to the commission and comes back."""
    late: str = ""
    """`papers`, `correction` or `agency`: who answers only after the deadline, where a hurried clock lets it pass."""
    key: str = ""
    """The source of the filing's idempotency key, so that a resumed demonstration files nothing twice."""


@dataclass(frozen=True)
class Walked:
    """The outcome of a planned request."""

    plan: Plan
    case_id: str
    tracking_code: str
    seconds: float

"""Intake's web doors: filing, the applicant's cases, the office's desk, the identity desk, and what anyone may see."""

from chassis.web.pages import Link
from services.intake.pages import cases, clerks, filing, office, public, status

ROUTERS = (public.router, filing.router, cases.router, office.router, clerks.router, status.router)

LINKS = (
    Link("/", "Overview"),
    Link("/new", "New request", ("citizen", "office_operator")),
    Link("/office", "Our requests", ("office_operator",)),
    Link("/identity", "Identity desk", ("identity_clerk",)),
    Link("/status", "System status", ("identity_clerk", "engineer")),
    Link("/track", "Track a request"),
    Link("/check", "Check a certificate"),
)

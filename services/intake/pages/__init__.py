"""Intake's web doors: filing, the applicant's cases, the office's desk, the identity desk, and what anyone may see."""

from services.intake.pages import cases, clerks, filing, office, public, status

ROUTERS = (public.router, filing.router, cases.router, office.router, clerks.router, status.router)

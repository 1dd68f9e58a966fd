"""Intake's web doors: filing, the citizen's cases, the identity desk, and what anyone may see."""

from services.intake.pages import cases, clerks, filing, public, status

ROUTERS = (public.router, filing.router, cases.router, clerks.router, status.router)

"""Review's web doors: My queue, a drawn case, the supervisor's list."""

from services.review.pages import cases, supervision

ROUTERS = (cases.router, supervision.router)

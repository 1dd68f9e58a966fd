"""Review, by its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chassis.refusal import refusals_in
from chassis.runtime.service_app import ServiceApp
from chassis.web.pages import Link
from services.review import refusals
from services.review.demo import demonstrate
from services.review.deps import ReviewDeps, open_deps
from services.review.pages import ROUTERS
from services.review.reactions import processors
from services.review.registration import REGISTRATION
from services.review.tasks import TASKS

SERVICE: Final = ServiceApp[ReviewDeps](
    service="review",
    title="Review",
    package=Path(__file__).parent,
    processors=processors,
    deps=open_deps,
    tasks=TASKS,
    routers=ROUTERS,
    links=(Link("/queue", "My queue", ("reviewer",)), Link("/supervision", "Supervision", ("supervisor",))),
    registration=REGISTRATION,
    demonstrate=demonstrate,
    refusals=refusals_in(refusals),
)
create_app = SERVICE.create_app

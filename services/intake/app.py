"""Intake, by its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chassis.privacy.documents.store import TooLarge, WrongType
from chassis.refusal import refusals_in
from chassis.runtime.service_app import ServiceApp
from services.intake import refusals
from services.intake.demo import demonstrate
from services.intake.deps import IntakeDeps, beside_the_pages, open_deps
from services.intake.pages import LINKS, ROUTERS
from services.intake.pages.shared import FORM_BYTES
from services.intake.reactions import processors
from services.intake.registration import REGISTRATION
from services.intake.tasks import TASKS

SERVICE: Final = ServiceApp[IntakeDeps](
    service="intake",
    title="Filing",
    package=Path(__file__).parent,
    processors=processors,
    deps=open_deps,
    tasks=TASKS,
    routers=ROUTERS,
    links=LINKS,
    registration=REGISTRATION,
    demonstrate=demonstrate,
    refusals=(*refusals_in(refusals), TooLarge, WrongType),
    citizens=True,
    published=True,
    body_limits={"/new/": FORM_BYTES, "/cases/": FORM_BYTES},
    more=beside_the_pages,
)
create_app = SERVICE.create_app

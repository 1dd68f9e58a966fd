"""Inquiry, by its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chassis.refusal import refusals_in
from chassis.runtime.service_app import ServiceApp
from chassis.web.pages import Link
from services.inquiry import refusals
from services.inquiry.demo import demonstrate
from services.inquiry.deps import InquiryDeps, open_deps
from services.inquiry.pages import router
from services.inquiry.reactions import processors
from services.inquiry.registration import REGISTRATION
from services.inquiry.tasks import TASKS

SERVICE: Final = ServiceApp[InquiryDeps](
    service="inquiry",
    title="Inquiries",
    package=Path(__file__).parent,
    processors=processors,
    deps=open_deps,
    tasks=TASKS,
    routers=(router,),
    links=(Link("/", "Questions"),),
    registration=REGISTRATION,
    demonstrate=demonstrate,
    refusals=refusals_in(refusals),
)
create_app = SERVICE.create_app

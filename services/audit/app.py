"""The audit desk, by its tables: it reads the log itself, and nothing of it can write there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chassis.runtime.service_app import ReadOnlyServiceApp
from chassis.web.pages import Link
from services.audit.api import router as feed
from services.audit.demo import demonstrate
from services.audit.deps import AuditDeps, open_deps
from services.audit.pages import router
from services.audit.processors import processors
from services.audit.registration import AUDITOR, REGISTRATION

SERVICE: Final = ReadOnlyServiceApp[AuditDeps](
    service="audit",
    title="Audit",
    package=Path(__file__).parent,
    processors=processors,
    deps=open_deps,
    routers=(router, feed),
    links=(Link("/", "Find a case"),),
    registration=REGISTRATION,
    issued_roles=(AUDITOR,),
    demonstrate=demonstrate,
    published=True,
)
create_app = SERVICE.create_app

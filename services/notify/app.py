"""Notify, by its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chassis.accounts.registration import Registration
from chassis.runtime.service_app import ServiceApp
from chassis.web.pages import Link
from services.notify.demo import demonstrate
from services.notify.deps import NotifyDeps, open_deps
from services.notify.pages import OPERATOR, REFUSALS, router
from services.notify.reactions import processors
from services.notify.tasks import TASKS

SERVICE: Final = ServiceApp[NotifyDeps](
    service="notify",
    title="Notices",
    package=Path(__file__).parent,
    processors=processors,
    deps=open_deps,
    tasks=TASKS,
    routers=(router,),
    links=(Link("/", "Messages"),),
    registration=Registration((OPERATOR,)),
    demonstrate=demonstrate,
    refusals=REFUSALS,
    refused_at_door=(),  # only its agenda writes
)
create_app = SERVICE.create_app

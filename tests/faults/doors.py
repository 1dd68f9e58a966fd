"""Real doors, each a process of its own on the real database: what a person meets while something is broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from chassis.runtime.container import migrate_service
from chassis.runtime.service_app import Service
from chassis.settings import Settings
from deploy.local import keys, roles
from deploy.local.processes import KEYS
from deploy.local.subprocesses import free_port, start, stop
from services.intake.app import SERVICE as INTAKE
from services.review.app import SERVICE as REVIEW
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually

PROCESSES: Final[dict[str, Service[Any, Any]]] = {"intake": INTAKE, "review": REVIEW}


@dataclass
class Door:
    """One process and its address."""

    service: str
    url: str
    child: subprocess.Popen[bytes]

    async def ready(self, seconds: float = 2.0) -> bool:
        """What /ready says within `seconds`."""
        try:
            async with httpx2.AsyncClient(timeout=seconds) as client:
                return bool((await client.get(f"{self.url}/ready")).status_code == 200)
        except httpx2.HTTPError:
            return False


def settings(databases: Databases, directory: Path, service: str, **changed: Any) -> Settings:
    """The settings of one service over a test's databases; `changed` come before the usual ones."""
    usual = {
        "database_url": f"postgresql://127.0.0.1:{databases.server.port}",
        "database_prefix": databases.prefix,
        "password": databases.passwords[service],
        "reader_password": databases.passwords[f"{service}_reader"],
        "owner_password": databases.server.owner_password,
        "keys": directory / "keys" / service,
        "storage": f"file://{directory / 'documents'}",
        "outbox": directory / "outbox",
        "bus": False,
        "agenda_apart": roles.SERVICES,  # nobody carries anything out while a door is looked at
    }
    return Settings(**{**usual, **changed})


async def prepare(databases: Databases, directory: Path, *services: str) -> None:
    """Keys, migrations and demonstration accounts."""
    keys.provide(directory / "keys", KEYS)
    for service in services:
        environment = settings(databases, directory, service)
        process = PROCESSES[service]
        await migrate_service(environment, service, ROOT / "services" / service)
        async with process.open_container(environment) as container:
            await process.demonstrate(container)


@asynccontextmanager
async def doors(
    databases: Databases, directory: Path, *services: str, environment: Mapping[str, str] | None = None, **changed: Any
) -> AsyncIterator[dict[str, Door]]:
    """The web processes of `services`, ready; ended afterwards. `changed` settings come before the usual ones."""
    ports = {service: free_port() for service in services}
    urls = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    running: dict[str, Door] = {}
    try:
        for service in services:
            told = {
                "PATH": os.environ.get("PATH", ""),
                "LANG": "C.UTF-8",
                **_variables(settings(databases, directory, service, **changed)),
                "PARVANDEH_PORT": str(ports[service]),
                "PARVANDEH_DOORS": ",".join(f"{name}={url}" for name, url in urls.items()),
                **(environment or {}),
            }
            with (directory / f"{service}.log").open("ab") as log:
                child = start([sys.executable, "-m", f"services.{service}", "serve"], log, environment=told)
            running[service] = Door(service, urls[service], child)
        for door in running.values():
            await eventually(door.ready, 60)
        yield running
    finally:
        for door in running.values():
            stop(door.child, signal.SIGTERM, 6.0)


def _variables(settings: Settings) -> dict[str, str]:
    return {
        "PARVANDEH_DATABASE_URL": settings.database_url,
        "PARVANDEH_DATABASE_PREFIX": settings.database_prefix,
        "PARVANDEH_PASSWORD": settings.password.get_secret_value(),
        "PARVANDEH_READER_PASSWORD": settings.reader_password.get_secret_value(),
        "PARVANDEH_KEYS": str(settings.keys),
        "PARVANDEH_STORAGE": settings.storage,
        "PARVANDEH_OUTBOX": str(settings.outbox or ""),
        "PARVANDEH_BUS": str(settings.bus).lower(),
        "PARVANDEH_AGENDA_APART": ",".join(settings.agenda_apart),
    }

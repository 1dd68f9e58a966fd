"""A city on its first day, for tests: migrated, nobody enrolled, a terminal, and review's door with its draw."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from caselog.outcomes import Appended, AppendRequest, NewFact
from chassis.runtime.cli import run_command
from chassis.runtime.service_app import Service
from chassis.settings import Settings
from deploy.demo.person import forms
from deploy.local import roles
from schemas.facts.intake import CaseSubmitted, IdentityConfirmed
from services.audit.app import SERVICE as AUDIT
from services.inquiry.app import SERVICE as INQUIRY
from services.intake.app import SERVICE as INTAKE
from services.notify.app import SERVICE as NOTIFY
from services.review.app import SERVICE as REVIEW
from tests.databases import Databases
from tests.faults.test_reread import sample
from tests.witness.test_witness import entry

PROCESSES: Final[dict[str, Service[Any, Any]]] = {
    process.service: process for process in (INTAKE, REVIEW, INQUIRY, NOTIFY, AUDIT)
}
PASSWORD: Final = "گنجشک-روی-سیم-7"


@dataclass
class City:
    """A migrated city in which nobody is enrolled yet, and the terminal of who administers it."""

    databases: Databases
    directory: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def settings_of(self, service: str, **changes: object) -> Settings:
        return Settings(
            database_url=f"postgresql://127.0.0.1:{self.databases.server.port}",
            database_prefix=self.databases.prefix,
            password=SecretStr(self.databases.passwords[service]),
            reader_password=SecretStr(self.databases.passwords[f"{service}_reader"]),
            owner_password=SecretStr(self.databases.server.owner_password),
            keys=self.directory / service,
            storage=f"file://{self.directory}",
            doors={service: f"http://{service}"},
            bus=False,
            agenda_apart=roles.SERVICES,  # a test says itself when what is owed is carried out
        ).model_copy(update=changes)

    def environment(self, service: str) -> dict[str, str]:
        """What a process of the service is told."""
        settings = self.settings_of(service)
        return {
            "PATH": os.environ["PATH"],
            "PARVANDEH_DATABASE_URL": settings.database_url,
            "PARVANDEH_DATABASE_PREFIX": settings.database_prefix,
            "PARVANDEH_PASSWORD": settings.password.get_secret_value(),
            "PARVANDEH_READER_PASSWORD": settings.reader_password.get_secret_value(),
            "PARVANDEH_KEYS": str(settings.keys),
            "PARVANDEH_STORAGE": settings.storage,
            "PARVANDEH_BUS": "0",
        }

    async def type(
        self, service: str, line: str, password: str = "", settings: Settings | None = None, words: Sequence[str] = ()
    ) -> tuple[int, str]:
        """The exit code of a command, and what it said; `password` stands on its standard input.

        `words` follow those of `line`; they may be empty or hold spaces, as what a shell's quotes keep together.
        """
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{password}\n".encode())))
        given = settings or self.settings_of(service)
        # In a thread: a command has a loop of its own, as in a process.
        code = await asyncio.to_thread(run_command, PROCESSES[service], [*line.split(), *words], lambda: given)
        said = self.capsys.readouterr()
        return code, said.out + said.err


@asynccontextmanager
async def opened(app: FastAPI, service: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The real door, and a browser of one person at it."""
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url=f"http://{service}") as client:
        yield client


async def sign_in(client: httpx2.AsyncClient, username: str, password: str) -> int:
    client.cookies.clear()
    form = next(each for each in forms((await client.get("/sign-in")).text) if each.action == "/sign-in")
    return (await client.post("/sign-in", data={**form.hidden, "username": username, "password": password})).status_code


async def status(client: httpx2.AsyncClient, path: str) -> int:
    return (await client.get(path, headers={"Accept": "application/json"})).status_code


async def confirmed(databases: Databases, case: str) -> None:
    """A case that waits for its draw."""
    async with databases.appender("intake") as appender:
        for fact in (CaseSubmitted, IdentityConfirmed):
            command = hashlib.sha256(f"{case} {fact.TYPE}".encode()).digest()
            facts: list[NewFact] = [sample(fact)]
            outcome = await appender.append(AppendRequest(f"case:{case}", None, command, bytes(32), "x:y", None, b"{}", facts))
            assert isinstance(outcome, Appended)


async def queue(client: httpx2.AsyncClient) -> list[str]:
    return [task["case"] for task in (await client.get("/api/queue", headers={"Accept": "application/json"})).json()]


async def can_be_drawn(settings: Settings) -> list[str]:
    """Whom review's rows show as able to be drawn."""
    async with REVIEW.open_container(settings) as container:
        return [row["staff"] for row in await container.db.fetch("SELECT staff FROM reviewers WHERE active ORDER BY staff")]


async def is_the_pool(settings: Settings, subjects: list[str]) -> bool:
    """Whether these are all whom review's rows show."""
    return await can_be_drawn(settings) == subjects


async def is_in_queue(client: httpx2.AsyncClient, case: str) -> bool:
    return case in await queue(client)


async def pin(city: City, port: int) -> None:
    """Review believes the witness that listens on `port`, and no other."""
    believed = await entry(port)
    async with httpx2.AsyncClient() as client:
        key = (await client.get(f"{believed.url}/key")).json()["public_key"]
    pinned = {"name": believed.name, "url": believed.url, "public_key": key, "demonstration": True}
    (city.directory / "review" / "witnesses.json").write_text(json.dumps([pinned]))

"""Sign-in by OpenID Connect at the real doors: staff at the audit desk in a real browser, a citizen at intake."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from chassis.accounts.oidc.relying_party import RETURN
from chassis.oidc_settings import Seat
from chassis.runtime.container import migrate_service
from chassis.settings import Settings
from deploy.local import keys
from deploy.local.processes import KEYS
from deploy.local.subprocesses import wait_until
from services.audit.app import create_app as audit_door
from services.intake.app import create_app as intake_door
from tests.conftest import ROOT
from tests.databases import Databases
from tests.web.browser import browsing, needs_browser
from tests.web.issuer import Issuer, Lies, serving
from tests.web.oidc_harness import CITIZEN, House, believing, problem

AUDIT: Final = ROOT / "services/audit"
INTAKE: Final = ROOT / "services/intake"
ROOMS: Final = {"audit": AUDIT, "intake": INTAKE}
NAME: Final = "مهرداد کیانی"
AUDITOR: Final = {"sub": "auditor-3", "name": NAME, "roles": ["auditors"]}


def settings(databases: Databases, service: str, issuer: Issuer, door: str, directory: Path) -> Settings:
    """The settings of one real service at this issuer; the bus is off, the log is enough here."""
    keys.provide(directory, KEYS)
    (directory / service / "witnesses.json").write_text("[]")
    issuer.redirect_uris.add(door + RETURN)
    oidc = believing(issuer).model_copy(update={"roles": {"auditors": Seat(role="auditor")}})
    return Settings(
        database_url=f"postgresql://127.0.0.1:{databases.server.port}",
        database_prefix=databases.prefix,
        password=SecretStr(databases.passwords[service]),
        reader_password=SecretStr(databases.passwords[f"{service}_reader"]),
        owner_password=SecretStr(databases.server.owner_password),
        keys=directory / service,
        storage=f"file://{directory}",
        doors={service: door},
        bus=False,
        oidc=oidc,
    )


@asynccontextmanager
async def opened(app: FastAPI, door: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The real application with its lifespan, and a browser of one person at it."""
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=door) as client,
    ):
        yield client


async def through(client: httpx2.AsyncClient, path: str, to: str, door: str) -> httpx2.Response:
    begun = await client.get(path, params={"next": to})
    async with httpx2.AsyncClient(verify=False) as outside:
        sent = await outside.get(begun.headers["location"])
    return await client.get(sent.headers["location"].removeprefix(door))


async def test_an_auditor_comes_in_at_the_real_audit_desk_and_a_citizen_at_the_real_intake(house: House, tmp_path: Path) -> None:
    databases = house.databases
    with serving(Issuer(set(), dict(AUDITOR))) as issuer:
        container = settings(databases, "audit", issuer, "http://audit", tmp_path)
        await migrate_service(container, "audit", AUDIT)
        async with opened(audit_door(container), "http://audit") as client:
            assert (await client.get("/cases/none", headers={"Accept": "text/html"})).headers["location"].startswith("/sign-in?")
            assert (await through(client, "/sign-in/oidc", "/", "http://audit")).status_code == 303
            assert (await client.get("/cases/none", headers={"Accept": "application/json"})).status_code == 404
            assert NAME in (await client.get("/")).text

        container = settings(databases, "intake", issuer, "http://intake", tmp_path)
        await migrate_service(container, "intake", INTAKE)
        async with opened(intake_door(container), "http://intake") as client:
            assert problem(await through(client, "/sign-in/oidc", "/", "http://intake")) == (403, "no_role")
            issuer.person = dict(CITIZEN)
            back = await through(client, "/citizen/sign-in/oidc", "/new", "http://intake")
            assert (back.status_code, back.headers["location"]) == (303, "/new")
            assert (await client.get("/new/site_visit")).status_code == 200


@contextmanager
def on_a_port(make: Callable[[str], FastAPI]) -> Iterator[str]:
    """The door that `make` gives for its own address, on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(make(address), log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive(), 60, "the door's start")
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(15)


@needs_browser
@pytest.mark.browser
async def test_a_real_browser_goes_to_the_issuers_site_and_comes_back_signed_in(house: House, tmp_path: Path) -> None:
    """`localhost` is another site than 127.0.0.1 for the browser, so cookies and the security policy are put to the test."""
    databases = house.databases
    with serving(Issuer(set(), dict(AUDITOR)), "localhost") as issuer:

        def make(address: str) -> FastAPI:
            return audit_door(settings(databases, "audit", issuer, address, tmp_path))

        await migrate_service(settings(databases, "audit", issuer, "http://audit", tmp_path), "audit", AUDIT)
        with on_a_port(make) as door:
            async with browsing() as browser:
                for lang, locale in (("fa", "fa-IR"), ("en", "en-GB")):
                    page = await (await browser.new_context(locale=locale, reduced_motion="reduce")).new_page()
                    await page.goto(f"{door}/sign-in")
                    issuer.lies = Lies(claims=lambda found: {**found, "nonce": "another"})
                    await page.click("a[href^='/sign-in/oidc']")
                    assert await page.get_attribute("html", "lang") == lang
                    assert await page.locator("[role=alert]").count() == 1
                    assert "parvandeh_audit" not in {each["name"] for each in await page.context.cookies()}
                    issuer.lies = Lies()
                    await page.click("main a.btn")
                    await page.click("a[href^='/sign-in/oidc']")
                    await page.wait_for_url(f"{door}/")
                    assert NAME in await page.content()
                    await page.click("form[action='/sign-out'] button")
                    await page.wait_for_url(f"{door}/signed-out")
                    farewell = httpx2.URL(await page.get_attribute("main a.btn", "href") or "")
                    assert str(farewell.copy_with(query=None)) == f"{issuer.url}/end"
                    assert farewell.params["post_logout_redirect_uri"] == f"{door}/"
                    await page.context.close()

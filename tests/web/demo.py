"""A small service of the tests' own on the web chassis, over the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from caselog.append import LogUnavailable
from caselog.db.migrate import migrate
from chassis.accounts.accounts import Account, Accounts
from chassis.accounts.oidc.relying_party import relying_party
from chassis.accounts.one_time_codes import OneTimeCodes
from chassis.accounts.routers import sign_in_routers
from chassis.accounts.sessions import Sessions
from chassis.principal import Principal
from chassis.refusal import Refusal
from chassis.runtime.container import WEB
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.auth import idempotency_key, require
from chassis.web.pages import render
from tests.databases import Databases

router = APIRouter()
SECRET = "سهراب-کنارسری-۰۰۸۴"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    number: int


@router.get("/")
async def first(request: Request) -> Response:
    return render(request, "error.html", detail="first", field=None, errors=[], again=False)


@router.get("/staff")
async def staff(principal: Principal = require("reviewer")) -> dict[str, str]:  # noqa: B008
    return {"subject": principal.subject}


@router.get("/boss")
async def boss(principal: Principal = require("supervisor")) -> dict[str, str]:  # noqa: B008
    return {"subject": principal.subject}


@router.get("/mine")
async def mine(principal: Principal = require("citizen")) -> dict[str, str]:  # noqa: B008
    return {"subject": principal.subject}


@router.post("/api/number")
async def number(body: Body, key: str = Depends(idempotency_key)) -> dict[str, Any]:
    return {"number": body.number, "key": key}


@router.get("/api/away")
async def away() -> None:
    raise LogUnavailable(SECRET)


@router.get("/api/broken")
async def broken() -> None:
    raise RuntimeError(SECRET)


class Special(Refusal):
    """A special reason."""

    code = "busy"
    status = 418


@router.get("/api/refused")
async def refused() -> None:
    raise Special("number")


def blind(kind: str, value: str) -> bytes:
    return f"{kind}:{value}".encode().ljust(32, b".")


@asynccontextmanager
async def running(
    databases: Databases, settings: Settings | None = None, **options: Any
) -> AsyncIterator[tuple[FastAPI, list[tuple[str, str]]]]:
    """The application and the one-time codes that were sent (mobile, code)."""
    settings = settings or Settings()
    connection = await databases.connect("review", "owner")
    await migrate(connection, "web", WEB)
    await connection.close()
    sent: list[tuple[str, str]] = []

    async def send(mobile: str, code: str, _: str) -> None:
        sent.append((mobile, code))

    async with asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=4) as db:

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            yield

        async def ready(_: FastAPI) -> dict[str, bool]:
            return {"database": bool(await db.fetchval("SELECT true")), "bus": False}

        app = create_web_app(
            service="demo", title="Review", settings=settings, lifespan=lifespan, routers=(router,),
            sign_in=sign_in_routers(settings, citizens=True), package=Path(__file__).parent, ready=ready, citizens=True,
            **options,
        )  # fmt: skip
        app.state.sessions = Sessions(db)
        app.state.accounts = Accounts(db, app.state.sessions)
        app.state.codes = OneTimeCodes(db, blind, send)
        app.state.db = db
        app.state.oidc = relying_party(
            settings, "demo", db=db, sessions=app.state.sessions, roles=("reviewer", "supervisor"), blind=blind
        )
        await app.state.accounts.put([Account("a1", "ann", "right", "reviewer", "Ann")], demonstration=True)
        yield app, sent


def browser(app: FastAPI, language: str = "en", accept: str = "application/json") -> httpx2.AsyncClient:
    headers = {"Accept": accept, "Accept-Language": language}
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://demo", headers=headers)

"""A service's web application: what every door has, around the routes of the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.settings import Ground
from chassis.telemetry import TraceMiddleware
from chassis.web import problems, sign_in
from chassis.web.accounts import Accounts
from chassis.web.assets import serve
from chassis.web.doors import enter
from chassis.web.guards import HeadersMiddleware, RateMiddleware, SizeMiddleware
from chassis.web.language import LanguageMiddleware
from chassis.web.oidc import pages as oidc
from chassis.web.pages import Link, desk

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Ready = Callable[[FastAPI], Awaitable[dict[str, bool]]]
Status = Callable[[FastAPI], Awaitable[dict[str, Any]]]


def application(
    *,
    service: str,
    title: str,
    ground: Ground,
    lifespan: Lifespan,
    routers: Sequence[APIRouter],
    room: Path,
    ready: Ready,
    status: Status | None = None,
    links: Sequence[Link] = (),
    citizens: bool = False,
    body_limits: Mapping[str, int] | None = None,
    requests_a_minute: int = 600,
    sign_ins_a_minute: int = 20,
) -> FastAPI:
    """The application of `service`, whose folder is `room` (templates/, locale/).

    The lifespan must set `app.state.sessions`, and `oidc`, `accounts` and `codes` where there is such a
    sign-in. `ready` names what
    the process needs and whether it is there; `status` is what /status.json shows.
    `body_limits`: path prefix -> bytes.
    """
    app = FastAPI(title=title, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(enter)])
    app.state.desk = desk(service, title, room, links, ground, citizens=citizens)
    app.state.ground = ground
    problems.install(app)
    ways = [sign_in.router, *([sign_in.citizens] if citizens else [])]
    if ground.oidc.on:
        ways += [oidc.router, *([oidc.citizens] if citizens and ground.oidc.national_code_claim else [])]
    for router in (*routers, *ways):
        app.include_router(router)
    app.add_route("/static/{digest}/{name}", serve)
    _watched(app, ready, status)
    # The last one added is the outermost.
    app.add_middleware(SizeMiddleware, limits=body_limits or {})
    # All people of a demonstration come from one address; in production each has their own.
    factor = 1 if ground.production else 100
    app.add_middleware(RateMiddleware, a_minute=requests_a_minute * factor, sign_in_a_minute=sign_ins_a_minute * factor)
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(HeadersMiddleware)
    app.add_middleware(TraceMiddleware)
    return app


def _watched(app: FastAPI, ready: Ready, status: Status | None) -> None:
    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def is_ready(_: Request) -> Response:
        found = await ready(app)
        return JSONResponse(found, 200 if all(found.values()) else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_route("/health", health)
    app.add_route("/ready", is_ready)
    app.add_route("/metrics", metrics)
    if status is not None:
        asked = status

        async def figures(_: Request) -> Response:
            return JSONResponse(await asked(app))

        app.add_route("/status.json", figures)


async def refuse_demonstration_accounts(ground: Ground, accounts: Accounts) -> None:
    """Raises DemonstrationRefused when demonstration accounts are open under production settings."""
    if ground.production and await accounts.has_demonstration():
        ground.refuse_demonstration("demonstration accounts")

"""A process's web application: what every door has, around its own routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from prometheus_client.registry import Collector
from starlette.responses import FileResponse

from chassis.refusal import Refusal
from chassis.settings import Settings
from chassis.telemetry import REQUESTS, TraceMiddleware, registry_of
from chassis.web import problems
from chassis.web.assets import FILES, MEDIA_TYPES, asset
from chassis.web.auth import authenticate
from chassis.web.i18n import OWN_LOCALE, LanguageMiddleware, Translations
from chassis.web.middleware import HeadersMiddleware, RateMiddleware, SizeMiddleware
from chassis.web.openapi import Description, document
from chassis.web.pages import Link, desk
from chassis.web.probes import RelayStatus, Status, probes
from chassis.web.routes import may_refuse, routes
from chassis.web.timeouts import CLIENT_SECONDS, PAGE_SECONDS, DeadlineMiddleware

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Ready = Callable[[FastAPI], Awaitable[dict[str, bool]]]


def create_web_app(
    *,
    service: str,
    title: str,
    settings: Settings,
    lifespan: Lifespan,
    routers: Sequence[APIRouter],
    sign_in: Sequence[APIRouter] = (),
    package: Path,
    ready: Ready,
    status: Callable[[FastAPI], Awaitable[Status]] | None = None,
    metrics: Sequence[Collector] = (),
    refusals: Sequence[type[Refusal]] = (),
    links: Sequence[Link] = (),
    citizens: bool = False,
    published: bool = False,
    body_limits: Mapping[str, int] | None = None,
    requests_a_minute: int = 600,
    sign_ins_a_minute: int = 20,
    page_seconds: float = PAGE_SECONDS,
    client_seconds: float = CLIENT_SECONDS,
) -> FastAPI:
    """The application of `service`, whose folder is `package` (templates/, locale/).

    `sign_in`: the routes of its ways of signing in. The lifespan must set `app.state.sessions`, and `oidc`, `accounts` and
    `codes` where there is such a sign-in. `ready`
    names what the process needs and whether it is there; `status` is what /status.json shows, `metrics` what
    /metrics does beside the requests; `refusals` are those of the
    service's rules. `published`: systems outside the house use this door, so that it shows its document at /openapi.json.
    `body_limits`: path prefix -> bytes.
    """
    app = _bare(lifespan)
    app.state.metrics = registry_of(REQUESTS, *metrics)
    app.state.desk = desk(service, title, package, links, settings, citizens=citizens)
    app.state.settings, app.state.words = settings, app.state.desk.translations
    app.state.description = Description(service, f"Parvandeh: {service}", app.state.words, tuple(refusals))
    problems.install(app)
    for router in (*routers, *sign_in):
        app.include_router(router, dependencies=[Depends(authenticate)])
    asked = status
    app.include_router(probes(lambda: ready(app), app.state.metrics, None if asked is None else lambda: asked(app)))
    app.include_router(_files())
    if published:
        app.include_router(_document(app))
    # The last one added is the outermost.
    app.add_middleware(SizeMiddleware, limits=body_limits or {})
    app.add_middleware(DeadlineMiddleware, page_seconds=page_seconds, client_seconds=client_seconds)
    # All people of a demonstration come from one address; in production each has their own.
    factor = 1 if settings.production else 100
    app.add_middleware(RateMiddleware, a_minute=requests_a_minute * factor, sign_in_a_minute=sign_ins_a_minute * factor)
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(HeadersMiddleware)
    app.add_middleware(TraceMiddleware)
    return app


def create_probe_app(
    *,
    process: str,
    lifespan: Lifespan,
    ready: Ready,
    routers: Sequence[APIRouter] = (),
    status: Callable[[FastAPI], Awaitable[RelayStatus]] | None = None,
    metrics: Sequence[Collector] = (),
    locale: Sequence[Path] = (),
) -> FastAPI:
    """The application of a process without pages and people: the relay, an agenda worker."""
    app = _bare(lifespan)
    app.state.words = Translations([OWN_LOCALE, *locale])
    app.state.description = Description(process, f"Parvandeh: {process}", app.state.words, pages=False)
    problems.install(app)
    for router in routers:
        app.include_router(router)
    asked = status
    app.include_router(
        probes(lambda: ready(app), registry_of(*metrics), None if asked is None else lambda: asked(app), RelayStatus)
    )
    app.add_middleware(SizeMiddleware, limits={})
    app.add_middleware(DeadlineMiddleware, page_seconds=PAGE_SECONDS, client_seconds=CLIENT_SECONDS)
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(HeadersMiddleware)
    return app


def _bare(lifespan: Lifespan) -> FastAPI:
    # FastAPI's own pages load scripts from elsewhere. And a page has one address: none is found by a redirect to a slash.
    return FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # TraceMiddleware has the span and the duration of a request; a second span would hold its path, and so the id of a case.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )


def _files() -> APIRouter:
    router = routes()

    @router.get("/static/{digest}/{name}")
    @may_refuse(problems.NotFound)
    async def static(digest: str, name: str) -> FileResponse:
        """A static file; the digest is in its address so that a browser may keep it for a year."""
        if name not in FILES:
            raise problems.NotFound
        # A page from before an update asks by the old digest: it gets the new file, and must not keep it under that name.
        known = asset(name) == f"/static/{digest}/{name}"
        keep = "public, max-age=31536000, immutable" if known else "no-cache"
        return FileResponse(FILES[name], media_type=MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": keep})

    return router


def _document(app: FastAPI) -> APIRouter:
    router = routes()
    made: dict[str, Any] = {}

    @router.get("/openapi.json")
    async def openapi() -> dict[str, Any]:
        """This document."""
        if not made:
            made.update(document(app))
        return made

    return router

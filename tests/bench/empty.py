"""The limit of the door: a route that does nothing, behind the middleware of every service. `python -m tests.bench.empty`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from chassis.runtime.cli import serve
from chassis.settings import Settings
from chassis.telemetry import configure
from chassis.web.app import create_web_app
from services.intake.app import SERVICE

router = APIRouter()


@router.get("/empty", status_code=204)
async def empty() -> Response:
    """Nothing."""
    return Response(status_code=204)


def create_app(settings: Settings) -> FastAPI:
    """Intake's middleware and one empty route; nobody signs in, nothing is asked of a database."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    async def ready(_: FastAPI) -> dict[str, bool]:
        return {}

    # The limit of requests is counted as everywhere, and not reached.
    return create_web_app(
        service="intake", title=SERVICE.title, settings=settings, lifespan=lifespan, routers=[router],
        package=SERVICE.package, ready=ready, requests_a_minute=100_000,
    )  # fmt: skip


if __name__ == "__main__":
    settings = Settings()
    configure("empty", settings)
    serve(create_app(settings), settings)

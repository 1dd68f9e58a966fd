"""What every process answers to whoever watches over it: alive, ready, metrics, and how it is in numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import Field
from starlette.responses import JSONResponse, PlainTextResponse

from chassis.web.routes import ResponseModel, routes

Ready = Callable[[], Awaitable[dict[str, bool]]]


class Alive(ResponseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReaderStatus(ResponseModel):
    """How one reader of the log is."""

    reader: str
    behind: int = Field(ge=0)
    """Facts that it has not applied."""
    halted: int = Field(ge=0)
    """Shards that stopped at a fork."""
    parked: int = Field(ge=0)
    """Cases that could not be applied."""
    stopped: bool
    share: float | None
    """Of the last facts, the part that came by the bus; null when too few were applied to tell, or the bus is not used."""


class AgendaStatus(ResponseModel):
    """How the agenda is."""

    open: int = Field(ge=0)
    due: int = Field(ge=0)
    parked: int = Field(ge=0)
    trying: int = Field(ge=0)
    """Items that were tried and are tried again."""
    oldest: float
    """Seconds for which the oldest due item has waited."""


class Status(ResponseModel):
    """How a service is: numbers only, no case and no person."""

    readers: tuple[ReaderStatus, ...]
    agenda: AgendaStatus | None = None


class RelayStatus(ResponseModel):
    """How the relay is."""

    leading: bool
    connected: bool
    behind: int = Field(ge=0)
    """Facts that are not published yet."""
    published: int = Field(ge=0)
    """Facts since its start that the broker acknowledged."""


def probes(
    ready: Ready,
    registry: CollectorRegistry,
    status: Callable[[], Awaitable[Any]] | None = None,
    shown: type[ResponseModel] = Status,
) -> APIRouter:
    """The routes. `ready` names what the process needs and whether it is there; `registry` holds the figures of this process;
    `status` answers a `shown`.
    """
    router = routes()

    @router.get("/health")
    async def health() -> Alive:
        """The process is alive."""
        return Alive()

    async def is_ready() -> Any:
        """What the process needs, and whether it is there."""
        found = await ready()
        return JSONResponse(found, 200 if all(found.values()) else 503)

    router.add_api_route(
        "/ready",
        is_ready,
        response_model=dict[str, bool],
        responses={503: {"model": dict[str, bool], "description": "Something is not there."}},
    )

    @router.get("/metrics")
    async def metrics() -> PlainTextResponse:
        """Figures in the text format of Prometheus."""
        return PlainTextResponse(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    if status is not None:
        asked = status

        async def figures() -> Any:
            """How it is, in numbers: no case and no person."""
            return await asked()

        router.add_api_route("/status.json", figures, response_model=shown)
    return router

"""The feed: how a consumer outside the house fills the gaps of the bus (design.md section 4)."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.bus.wire import headers_of
from chassis.web.problems import NotForYou, SignInNeeded
from schemas.envelope import SHARDS, Recorded

router = APIRouter()
CONSUMER: Final = "consumer"
MEDIA_TYPE: Final = "application/cloudevents-batch+json"
LONGEST: Final = 500
_basic: Final = HTTPBasic(auto_error=False, realm="parvandeh feed")


async def consumer(request: Request, given: Annotated[HTTPBasicCredentials | None, Depends(_basic)]) -> str:
    """The name of the consumer that asks (RFC 7617: a machine has no session). Raises SignInNeeded, NotForYou."""
    principal = await request.app.state.accounts.check(given.username, given.password) if given else None
    if principal is None:
        raise SignInNeeded
    if principal.role != CONSUMER:
        raise NotForYou
    return str(principal.subject)


@router.get("/feed")
async def feed(
    request: Request,
    _consumer: Annotated[str, Depends(consumer)],
    shard: Annotated[int, Query(ge=0, lt=SHARDS)],
    after: Annotated[int, Query(ge=0, lt=1 << 62)] = 0,
    limit: Annotated[int, Query(ge=1, le=LONGEST)] = 100,
) -> Response:
    """The facts of a shard after `after`, in order, as CloudEvents; an empty list at the head."""
    facts = await request.app.state.log.shard(shard, after, limit)
    return JSONResponse([event_of(fact) for fact in facts], media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def event_of(fact: Recorded) -> dict[str, Any]:
    """A fact as a CloudEvent in JSON: the attributes of the bus, with the exact bytes of body and meta in base64.

    What a link binds is all there, so that a consumer recomputes it as it does on the bus (docs/log-format.md).
    """
    found = {name.removeprefix("ce_"): value for name, value in headers_of(fact) if name != "ce_meta"}
    found["datacontenttype"] = found.pop("content-type")
    event = {name: value.decode() for name, value in found.items()}
    return event | {"metabase64": b64encode(fact.meta).decode(), "data_base64": b64encode(fact.body).decode()}

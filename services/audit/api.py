"""The feed: how an external consumer fills gaps of the bus (design.md section 4)."""

from __future__ import annotations

from base64 import b64encode
from types import MappingProxyType
from typing import Annotated, Final, Literal

from fastapi import Depends, HTTPException, Query
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.eventing.kafka.cloudevents import encode
from chassis.refusal import Refusal
from chassis.runtime.container import ReadOnlyContainer
from chassis.web.problems import Forbidden
from chassis.web.routes import ResponseModel, may_refuse, routes
from schemas.envelope import SHARDS, RecordedFact
from services.audit.registration import CONSUMER

router = routes()
MEDIA_TYPE: Final = "application/cloudevents-batch+json"
LONGEST: Final = 500
REALM: Final = "parvandeh feed"


class CredentialsNeeded(Refusal):
    """Sign in with the name and password of a consumer (HTTP Basic)."""

    code = "credentials_needed"
    status = 401
    headers = MappingProxyType({"WWW-Authenticate": f'Basic realm="{REALM}"'})


class _Basic(HTTPBasic):
    """FastAPI's own class refuses invalid base64 itself and without a problem document; here invalid base64 counts as no name."""

    async def __call__(self, request: Request) -> HTTPBasicCredentials | None:  # type: ignore[override]
        try:
            return await super().__call__(request)
        except HTTPException:
            return None


async def consumer(
    request: Request, given: Annotated[HTTPBasicCredentials | None, Depends(_Basic(auto_error=False, realm=REALM))]
) -> str:
    """The name of the consumer that asks (RFC 7617: a machine has no session). Raises CredentialsNeeded, Forbidden."""
    principal = await request.app.state.accounts.check(given.username, given.password) if given else None
    if principal is None:
        raise CredentialsNeeded
    if principal.role != CONSUMER:
        raise Forbidden
    return str(principal.subject)


class Event(ResponseModel):
    """A fact as a CloudEvent in JSON: what a link binds is all there, so that a consumer recomputes it (docs/log-format.md)."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"]
    logid: str
    epoch: str
    shard: str
    seq: str
    version: str
    typeversion: str
    microseconds: str
    actor: str
    command: str
    ordinal: str
    request: str
    prev: str
    link: str
    cause: str | None = None
    traceparent: str | None = None
    metabase64: str
    """The exact bytes of the fact's meta."""
    data_base64: str
    """The exact bytes of the fact."""


class Batch(JSONResponse):
    """Events in CloudEvents' batched mode."""

    media_type = MEDIA_TYPE


@router.get("/feed", response_class=Batch, response_model_exclude_none=True)
@may_refuse(CredentialsNeeded, Forbidden)
async def feed(
    answer: Response,
    request: Request,
    _consumer: Annotated[str, Depends(consumer)],
    shard: Annotated[int, Query(ge=0, lt=SHARDS)],
    after: Annotated[int, Query(ge=0, lt=1 << 62)] = 0,
    limit: Annotated[int, Query(ge=1, le=LONGEST)] = 100,
) -> list[Event]:
    """The facts of a shard after `after`, in order, as CloudEvents; an empty list at the head."""
    container: ReadOnlyContainer = request.app.state.container
    facts = await container.log.shard(shard, after, limit)
    answer.headers["Cache-Control"] = "no-store"
    return [event_of(fact) for fact in facts]


def event_of(fact: RecordedFact) -> Event:
    """The attributes of the bus, with the exact bytes of body and meta in base64."""
    found = {name.removeprefix("ce_"): value for name, value in encode(fact) if name != "ce_meta"}
    found["datacontenttype"] = found.pop("content-type")
    bytes_ = {"metabase64": b64encode(fact.meta).decode(), "data_base64": b64encode(fact.body).decode()}
    return Event.model_validate({name: value.decode() for name, value in found.items()} | bytes_)

"""Routes that say what they answer: by the type that a handler returns, and by what it may refuse.

From this alone each door's OpenAPI document is made (chassis/web/openapi.py): whoever writes a handler describes it by its
signature, and a handler that only says `Response` is refused when the document is generated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.responses import HTMLResponse, Response, StreamingResponse

from chassis.refusal import Refusal

F = TypeVar("F", bound=Callable[..., Any])
_REFUSES: Final = "_refuses"
_SENDS: Final = "_sends"


class ResponseModel(BaseModel):
    """A closed answer: what is not named in it cannot get out by it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Marker:
    """What the type of an answer says beyond its class."""


RefusedPage = Annotated[HTMLResponse, _Marker()]
"""A page that shows a refusal beside what was entered; its statuses are those of the refusals."""


class EmptyResponse(Response):
    """Nothing but the status."""


class Download(StreamingResponse):
    """A document as a download that no browser runs in our name."""

    MEDIA_TYPES: Final = {"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png"}

    def __init__(self, stream: AsyncIterator[bytes], media_type: str, name: str) -> None:
        """`name`: of the file, without its ending."""
        headers = {
            "Content-Disposition": f'attachment; filename="{name}{self.MEDIA_TYPES.get(media_type, "")}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
        }
        super().__init__(stream, media_type=media_type, headers=headers)


@dataclass(frozen=True)
class Form:
    """What a page's form sends, where its fields are not the handler's parameters."""

    schema: Mapping[str, Any]
    """JSON Schema of the fields; a file is `{"type": "string", "contentMediaType": "application/octet-stream"}`."""
    media_type: str = "multipart/form-data"


Forms = Callable[[], Mapping[str, Form]]
"""The forms of a route, by the value of its one path parameter; `""` for all values."""


class TypedRoute(APIRoute):
    """A route that may return several kinds of `Response`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        kinds = returned(endpoint)
        if len(kinds) > 1 and all(_is_response(kind) for kind in kinds):
            options["response_model"] = None  # FastAPI would take the union for a model
        super().__init__(path, endpoint, **options)


def routes(of: type[TypedRoute] = TypedRoute) -> APIRouter:
    """A router for handlers that say what they answer."""
    return APIRouter(route_class=of)


def returned(endpoint: Callable[..., Any]) -> tuple[Any, ...]:
    """The kinds of answer that a handler's signature names."""
    hint = get_type_hints(endpoint, include_extras=True).get("return")
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_response(kind: Any) -> bool:
    return kind == RefusedPage or (isinstance(kind, type) and issubclass(kind, Response))


def may_refuse(*kinds: type[Refusal]) -> Callable[[F], F]:
    """Name what a handler itself refuses, beyond what its guards and the service's rules do."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _REFUSES, kinds)
        return endpoint

    return mark


def refused_by(endpoint: Callable[..., Any]) -> tuple[type[Refusal], ...]:
    """What `may_refuse` named."""
    found: tuple[type[Refusal], ...] = getattr(endpoint, _REFUSES, ())
    return found


def accepts_form(forms: Forms) -> Callable[[F], F]:
    """Name the form of a handler that reads it by itself."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _SENDS, forms)
        return endpoint

    return mark


def forms_of(endpoint: Callable[..., Any]) -> Mapping[str, Form]:
    """What `accepts_form` named; empty where nothing was."""
    forms: Forms | None = getattr(endpoint, _SENDS, None)
    return forms() if forms else {}


async def idempotency_key_in_link(key: Annotated[str, Query(min_length=8, max_length=200)]) -> str:
    """The idempotency key in the address of a link that records something (an opening) and then shows it."""
    return key

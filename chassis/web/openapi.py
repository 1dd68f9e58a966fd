"""A door as an OpenAPI 3.1 document, made from its routes.

FastAPI gives parameters, bodies and models; the rest follows from what a route is, and not from what somebody wrote beside
it: a guard means 401 and 403, a form means 403 without its token, a path parameter means 404, and so on. So a route cannot
answer what its document does not name; tests/journeys/test_9_contracts.py asks the running doors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response

from chassis.refusal import Busy, NoRoom, PageIsStale, Refusal, RequestDiffers, Stale, StillFaulty
from chassis.web import problems as p
from chassis.web.assets import MEDIA_TYPES
from chassis.web.auth import BACK_CHANNEL, RequireRole, authenticate, idempotency_key
from chassis.web.csrf import session_cookie
from chassis.web.i18n import Translations
from chassis.web.routes import Download, EmptyResponse, Form, RefusedPage, forms_of, idempotency_key_in_link, refused_by, returned

VERSION: Final = "1.0.0"
_COMMANDS: Final = (Stale, RequestDiffers, PageIsStale, Busy, StillFaulty, p.NotNow)
"""What handling refuses by itself, whatever the service."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_LOCATION: Final = {"Location": {"description": "Where it goes on.", "schema": {"type": "string", "format": "uri-reference"}}}
_HEADERS: Final[Mapping[str, Any]] = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
    "Cache-Control": {"description": "Not to be kept.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to sign in (RFC 7617).", "schema": {"type": "string"}},
}
_CSRF: Final = {
    "type": "string",
    "description": "The token that stands in the form of the page (or in the header X-CSRF-Token).",
}
_ONCE: Final = {
    "type": "string",
    "minLength": 8,
    "maxLength": 200,
    "description": "The key under which a repetition has no second effect (or in the header Idempotency-Key).",
}


class Undescribed(Exception):
    """A route does not say what it answers; the text names it."""


@dataclass(frozen=True)
class Description:
    """What the document of a door needs to know beside its routes."""

    service: str
    title: str
    words: Translations
    refusals: tuple[type[Refusal], ...] = ()
    """What the service's rules refuse: any route that changes something may answer them."""
    pages: bool = True
    """Whether people use the door: it has pages, limits of rate and a database of its own."""


@dataclass
class _Writing:
    """One document under way."""

    about: Description
    codes: dict[str, type[Refusal]] = field(default_factory=dict)
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)

    def refusal(self, status: int, kinds: Sequence[type[Refusal]], *, pages: bool) -> dict[str, str]:
        """A reference to the answer that is one of `kinds`."""
        made = _refusal(status, kinds, pages)
        self.codes |= {kind.code: kind for kind in kinds}
        number = 1
        while self.responses.setdefault(name := f"refused{status}" + (f".{number}" if number > 1 else ""), made) != made:
            number += 1
        return {"$ref": f"#/components/responses/{name}"}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`. Raises Undescribed."""
    about: Description = app.state.description
    found = get_openapi(title=about.title, version=VERSION, openapi_version="3.1.0", routes=app.routes)
    writing = _Writing(about)
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.original_route.include_in_schema:
            for method in route.methods or ():
                _complete(found["paths"], route, method, writing)
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["schemas"] = dict(sorted((schemas | _problem_schemas()).items()))
    components["responses"] = dict(sorted(writing.responses.items()))
    components["examples"] = dict(sorted(_examples(writing)))
    components["securitySchemes"] = components.get("securitySchemes", {}) | _schemes(about.service)
    found["info"]["description"] = (
        "Pages are for people; a program that asks for application/json gets every refusal as a problem document (RFC 9457), "
        "in the language of Accept-Language (fa, en). A 500 is a fault of ours and no part of this contract."
    )
    found["paths"] = dict(sorted(found["paths"].items()))
    return found


def _complete(paths: dict[str, Any], route: RouteContext, method: str, writing: _Writing) -> None:
    """Describe one operation; a route with a form for each value of its path parameter gets a path for each as well."""
    path, endpoint = str(route.path_format), route.endpoint
    assert endpoint is not None
    operation: dict[str, Any] = paths[path][method.lower()]
    calls, required_role = _calls(route), _required_role(route)
    changes = _changes(route, method)
    operation["operationId"] = f"{method.lower()}{path}".replace("/", ".").replace("{", "").replace("}", "").rstrip(".")
    operation["responses"] = _successes(operation["responses"], path, endpoint)
    if authenticate in calls:
        operation["security"] = _security(required_role, changes, operation.get("security"))
    if required_role is not None:
        operation["x-roles"] = sorted(required_role.roles)
    if idempotency_key in calls:
        operation.setdefault("parameters", []).append(
            {"name": "Idempotency-Key", "in": "header", "required": False, "schema": _ONCE}
        )
    forms = forms_of(endpoint) if changes else {}
    if "" in forms:
        operation["requestBody"] = _body(forms[""])
    _with_tokens(operation, keyed=idempotency_key in calls)
    kinds = list(_refusals(route, method, operation, writing.about))
    pages = writing.about.pages and not path.startswith("/api/")
    if pages and required_role is not None and p.Unauthenticated in kinds:
        operation["responses"].setdefault("303", _redirect())
    for status in sorted({kind.status for kind in kinds}):
        operation["responses"][str(status)] = writing.refusal(
            status, sorted({kind for kind in kinds if kind.status == status}, key=lambda kind: kind.code), pages=pages
        )
    for value, form in forms.items():
        if value:
            _expanded(paths, path, method, value, form, keyed=idempotency_key in calls)


def _expanded(paths: dict[str, Any], path: str, method: str, value: str, form: Form, *, keyed: bool) -> None:
    before, _, rest = path.partition("{")
    concrete = before + value + rest.partition("}")[2]
    operation = paths[path][method.lower()]
    parameters = [each for each in operation.get("parameters", []) if each["in"] != "path"]
    copied = {
        **operation,
        "operationId": f"{operation['operationId']}.{value}",
        "parameters": parameters,
        "requestBody": _body(form),
    }
    _with_tokens(copied, keyed=keyed)
    paths.setdefault(concrete, {})[method.lower()] = copied


def _refusals(route: RouteContext, method: str, operation: Mapping[str, Any], about: Description) -> Iterator[type[Refusal]]:
    calls, required_role = _calls(route), _required_role(route)
    endpoint = route.endpoint
    assert endpoint is not None
    yield from refused_by(endpoint)
    yield p.TookTooLong  # the deadline stands before every route
    if operation.get("requestBody"):
        yield from (p.Unreadable, p.BodyTooLarge, p.NothingArrived)
    if operation.get("parameters") or operation.get("requestBody"):
        yield p.Invalid
    if "{" in str(route.path_format):
        yield p.NotFound
    if authenticate not in calls:
        return
    if about.pages:
        yield from (p.TooManyRequests, p.Unavailable, p.BodyTooLarge, NoRoom)
    if operation.get("parameters") or operation.get("requestBody"):
        yield p.Unstorable
    if required_role is not None:
        yield from (p.Unauthenticated, p.Forbidden)
        if "{" in str(route.path_format):
            yield p.Erased
    if idempotency_key in calls:
        yield p.KeyMissing
    if _changes(route, method):
        yield p.CsrfRejected
        if str(route.path_format).startswith("/api/"):
            yield p.Unauthenticated
    if required_role is not None and (_changes(route, method) or idempotency_key_in_link in calls):
        yield from _COMMANDS
        yield from about.refusals


def _changes(route: RouteContext, method: str) -> bool:
    """Whether the request needs a form of our own; the issuer's orders have a signature instead."""
    return method not in _SAFE and route.path_format != BACK_CHANNEL


def _calls(route: RouteContext) -> set[Any]:
    def walk(dependant: Any) -> Iterator[Any]:
        for each in dependant.dependencies:
            yield each.call
            yield from walk(each)

    return set(walk(route.dependant))


def _required_role(route: RouteContext) -> RequireRole | None:
    return next((each for each in _calls(route) if isinstance(each, RequireRole)), None)


def _successes(said: Mapping[str, Any], path: str, endpoint: Callable[..., Any]) -> dict[str, Any]:
    """The answers that are no refusals, by the handler's return type; `said` is what FastAPI made of it."""
    found: dict[str, Any] = {}
    for kind in returned(endpoint):
        if kind in (Response, None, Any) and not _has_model(said):
            raise Undescribed(f"{path}: {endpoint.__name__} does not say what it answers")
        if kind == RefusedPage:
            continue
        if kind is HTMLResponse:
            found["200"] = _content("The page.", {"text/html": {"schema": {"type": "string"}}})
        elif kind is RedirectResponse:
            found["303"] = _redirect()
        elif kind is PlainTextResponse:
            found["200"] = _content("Text.", {"text/plain": {"schema": {"type": "string"}}})
        elif kind is EmptyResponse:
            found["200"] = {"description": "It is done."}
        elif kind is Download:
            found["200"] = _content("The document.", {media: {} for media in Download.MEDIA_TYPES})
        elif kind is FileResponse:
            found["200"] = _content("The file.", {media: {} for media in sorted(MEDIA_TYPES.values())})
        else:
            found |= {status: answer for status, answer in said.items() if status != "422"}
    return found


def _has_model(said: Mapping[str, Any]) -> bool:
    return any(media.get("schema") for media in said.get("200", {}).get("content", {}).values())


def _content(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": dict(content)}


def _redirect() -> dict[str, Any]:
    return {"description": "It goes on elsewhere: after what was done, or to sign in.", "headers": _LOCATION}


def _refusal(status: int, kinds: Sequence[type[Refusal]], pages: bool) -> dict[str, Any]:
    types = [f"urn:parvandeh:problem:{kind.code}" for kind in kinds]
    shape = {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"properties": {"type": {"enum": types}, "status": {"const": status}}},
        ]
    }
    examples = {f"{code}.{language}": {"$ref": f"#/components/examples/{code}.{language}"}
                for code in (kind.code for kind in kinds) for language in ("fa", "en")}  # fmt: skip
    content: dict[str, Any] = {p.MEDIA_TYPE: {"schema": shape, "examples": examples}}
    if pages:
        content["text/html"] = {"schema": {"type": "string"}}
    headers = {name: _HEADERS[name] for kind in kinds for name in kind.headers}
    return {"description": f"{HTTPStatus(status).phrase}: {', '.join(kind.code for kind in kinds)}", "content": content} | (
        {"headers": headers} if headers else {}
    )


def _examples(writing: _Writing) -> Iterator[tuple[str, dict[str, Any]]]:
    for code, kind in writing.codes.items():
        for language in ("fa", "en"):
            message = f"refusal.{code}"
            said = writing.about.words.text(language, message)
            detail = kind.default_text() if said == message else said
            errors = (p.Fault(field="body.name", reason="missing", detail=writing.about.words.text(language, "reason.missing")),)
            problem = p.problem_of(kind, detail, errors=errors if kind is p.Invalid else None)
            yield f"{code}.{language}", {"value": problem.model_dump(mode="json", exclude_none=True)}


def _problem_schemas() -> dict[str, Any]:
    schema = p.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def _body(form: Form) -> dict[str, Any]:
    return {"required": True, "content": {form.media_type: {"schema": dict(form.schema)}}}


def _with_tokens(operation: dict[str, Any], *, keyed: bool) -> None:
    """Add the fields that every form of ours carries; FastAPI's reference to a body model becomes its extension."""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        if media == "application/json":
            continue
        fields = {"_csrf": _CSRF} | ({"_once": _ONCE} if keyed else {})
        content["schema"] = {"allOf": [content["schema"], {"type": "object", "properties": fields}]}


def _security(required_role: RequireRole | None, changes: bool, other: Any) -> list[dict[str, list[str]]]:
    if other:
        return list(other)
    needed: dict[str, list[str]] = {"session": []} if required_role is not None else {}
    return [needed | ({"form": []} if changes else {})] if needed or changes else []


def _schemes(service: str) -> dict[str, Any]:
    return {
        "session": {"type": "apiKey", "in": "cookie", "name": session_cookie(service)},
        "form": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRF-Token",
            "description": "The token in the field _csrf of any of our pages; a form sends it as that field instead.",
        },
    }

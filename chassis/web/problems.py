"""Errors as RFC 9457 problem documents, and for pages as a plain sentence with what to do; never what was entered."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from caselog.append import LogUnavailable, NotTaken
from caselog.db.errors import TRANSIENT, is_transient
from chassis.privacy.vault import KeyGone
from chassis.refusal import NoRoom, Refusal
from chassis.web.pages import render, translations

_log = structlog.get_logger("web")
MEDIA_TYPE: Final = "application/problem+json"


class Unauthenticated(Refusal):
    """Sign in first."""

    code = "sign_in_needed"
    status = 401


class Forbidden(Refusal):
    """Your role has no access to this. If you think it should, ask whoever created your account."""

    code = "not_for_you"
    status = 403


class CsrfRejected(Refusal):
    """This form did not come from our own page, or the page has expired. Open the page again and resend it."""

    code = "forged"
    status = 403


class SignInFailed(Refusal):
    """You are not signed in."""

    code = "sign_in_failed"
    status = 403


class NotFound(Refusal):
    """There is nothing here, or it is not yours to see."""

    code = "not_found"
    status = 404


class TooManyRequests(Refusal):
    """Too many requests have come from your address. Wait a minute, then try again."""

    code = "too_many_requests"
    status = 429
    headers = MappingProxyType({"Retry-After": "60"})


class BodyTooLarge(Refusal):
    """What you sent is larger than allowed here."""

    code = "body_too_large"
    status = 413


class KeyMissing(Refusal):
    """A request that changes something needs the header Idempotency-Key, so that a repeat has no second effect."""

    code = "idempotency_key_missing"
    status = 400


class Unavailable(Refusal):
    """The database does not answer. Your request may or may not have been accepted: sending it again is safe."""

    code = "log_unavailable"
    status = 503
    headers = MappingProxyType({"Retry-After": "2"})


class NotNow(Refusal):
    """The system cannot accept this right now, and this attempt did nothing. Send it again in a moment."""

    code = "not_now"
    status = 503
    headers = MappingProxyType({"Retry-After": "2"})


class TookTooLong(Refusal):
    """This took too long and was cancelled. Your request may or may not have been accepted: sending it again is safe."""

    code = "took_too_long"
    status = 503
    headers = MappingProxyType({"Retry-After": "2"})


class NothingArrived(Refusal):
    """Your request stopped arriving halfway, so nothing was done. Check your connection, then send it again."""

    code = "nothing_arrived"
    status = 408


class Erased(Refusal):
    """This data has been erased and can no longer be read."""

    code = "erased"
    status = 410


class InternalError(Refusal):
    """Something went wrong on our side; nothing you sent was shown to anyone. Try again in a moment."""

    code = "internal"
    status = 500


class Invalid(Refusal):
    """Something in the request is missing or wrong."""

    code = "invalid"
    status = 422


class Unreadable(Refusal):
    """What you sent cannot be read: it is not the content type that it claims to be."""

    code = "unreadable"
    status = 400


class Unstorable(Refusal):
    """This text contains a character that cannot be stored (U+0000). Remove it."""

    code = "unstorable"
    status = 422


class MethodNotAllowed(Refusal):
    """This address does not accept that kind of request."""

    code = "method_not_allowed"
    status = 405


class Fault(BaseModel):
    """One thing in a request that is missing or wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    """Where it stands: `body.name`, `query.shard`."""
    reason: str
    """A stable code."""
    detail: str
    """The reason in the reader's language."""


class Problem(BaseModel):
    """A refused request (RFC 9457). What was entered is never repeated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(pattern=r"^urn:parvandeh:problem:[a-z0-9_]+$")
    """Stable: what a program goes by."""
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    """What happened and what to do, in the reader's language (Accept-Language: fa, en)."""
    field: str | None = None
    """The input that is at fault, where it is one."""
    errors: tuple[Fault, ...] | None = None
    """Each thing that is missing or wrong, where the request does not have the described form."""


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, at a door that has pages."""
    has_pages = getattr(request.app.state, "desk", None) is not None
    return has_pages and not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def text_of(request: Request, refusal: Refusal) -> str:
    """The refusal in the reader's language."""
    message = f"refusal.{refusal.code}"
    found = translations(request).text(request.state.language, message)
    return refusal.default_text() if found == message else found


def answer(request: Request, refusal: Refusal, errors: tuple[Fault, ...] | None = None) -> Response:
    """The refusal as a page or as a problem document."""
    detail = text_of(request, refusal)
    headers = dict(refusal.headers)
    if wants_page(request):
        if isinstance(refusal, Unauthenticated):
            return RedirectResponse(f"/sign-in?next={_local(request)}", 303)
        template = "sign_in_failed.html" if isinstance(refusal, SignInFailed) else "error.html"
        shown = {"detail": detail, "field": refusal.field, "errors": errors or (), "again": refusal.status in (408, 429, 503)}
        page = render(request, template, refusal.status, **shown)
        page.headers.update(headers)
        return page
    problem = problem_of(type(refusal), detail, field=refusal.field, errors=errors)
    return JSONResponse(problem.model_dump(exclude_none=True), refusal.status, headers, MEDIA_TYPE)


def problem_of(kind: type[Refusal], detail: str, *, field: str | None = None, errors: tuple[Fault, ...] | None = None) -> Problem:
    """The document of a refusal."""
    return Problem(
        type=f"urn:parvandeh:problem:{kind.code}",
        title=kind.code.replace("_", " "),
        status=kind.status,
        detail=detail,
        field=field,
        errors=errors,
    )


def refused(request: Request, refusal: Refusal, page: Callable[[], HTMLResponse]) -> HTMLResponse:
    """`page`, which shows the refusal beside what was entered, to whoever reads pages. Raises `refusal` for a program."""
    if wants_page(request):
        return page()
    raise refusal


def _local(request: Request) -> str:
    return request.url.path if request.method == "GET" else "/"


def install(app: FastAPI) -> None:
    """Let the application answer every error by `answer`."""

    @app.exception_handler(Refusal)
    async def refusing(request: Request, error: Refusal) -> Response:
        return answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, Invalid(), _faults(request, error.errors()))

    @app.exception_handler(ValidationError)
    async def not_a_command(request: Request, error: ValidationError) -> Response:
        return answer(request, Invalid(), _faults(request, error.errors(include_input=False, include_url=False)))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        found = answer(request, _BY_STATUS.get(error.status_code, Unreadable)())
        if allow := (error.headers or {}).get("Allow"):
            found.headers["Allow"] = allow  # RFC 9110: a 405 names what is allowed
        return found

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it: a connection that was cut is no fault of ours

    @app.exception_handler(NotTaken)
    async def not_taken(request: Request, _: NotTaken) -> Response:
        return answer(request, NotNow())

    @app.exception_handler(LogUnavailable)
    async def away(request: Request, _: LogUnavailable) -> Response:
        return answer(request, Unavailable())

    async def database_away(request: Request, error: Exception) -> Response:
        if not is_transient(error):
            return await broken(request, error)
        _log.warning("database_away", error=type(error).__name__)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return answer(request, NoRoom())
        return answer(request, Unavailable())

    for away_for_now in TRANSIENT:
        app.exception_handler(away_for_now)(database_away)

    @app.exception_handler(KeyGone)
    async def erased(request: Request, _: KeyGone) -> Response:
        return answer(request, Erased())

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        # The type only: the text of an exception may repeat what a person entered.
        _log.error("request_failed", error=type(error).__name__, route=getattr(request.scope.get("route"), "path", "none"))
        return answer(request, InternalError())


_BY_STATUS: Final[Mapping[int, type[Refusal]]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    422: Invalid,
}
"""What the framework itself refuses, by status; anything else is a body that it cannot read."""


def _faults(request: Request, errors: Any) -> tuple[Fault, ...]:
    return tuple(
        Fault(field=_where(each["loc"], each["type"]), reason=str(each["type"]), detail=_reason(request, each["type"]))
        for each in errors
    )


def _where(loc: tuple[str | int, ...], code: str) -> str:
    # The name of a field that nobody asked for is what was entered, so only its place is named.
    known = loc[:-1] if code == "extra_forbidden" else loc
    return ".".join(str(part) for part in known)


def _reason(request: Request, code: str) -> str:
    found = translations(request).text(request.state.language, f"reason.{code}")
    return translations(request).text(request.state.language, "reason.other") if found == f"reason.{code}" else found

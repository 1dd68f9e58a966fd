"""Errors as RFC 9457 problem documents, and for pages as a plain sentence with what to do; never what was entered."""

from __future__ import annotations

from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from caselog.append import LogUnavailable
from caselog.away import AWAY, is_away
from chassis.refusal import Refusal
from chassis.vault.vault import KeyGone
from chassis.web.pages import render, words

_log = structlog.get_logger("web")
MEDIA_TYPE: Final = "application/problem+json"


class SignInNeeded(Refusal):
    """Sign in first."""

    code = "sign_in_needed"
    status = 401


class NotForYou(Refusal):
    """Your role does not open this. If you think it should, ask whoever made your account."""

    code = "not_for_you"
    status = 403


class Forged(Refusal):
    """This form was not sent from our own page, or the page is too old. Open the page again and send it anew."""

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


class TooMuch(Refusal):
    """Too many requests came from here. Wait a minute, then try again."""

    code = "too_many_requests"
    status = 429


class BodyTooLarge(Refusal):
    """What was sent is larger than allowed here."""

    code = "body_too_large"
    status = 413


class KeyMissing(Refusal):
    """A request that changes something needs the header Idempotency-Key, so that a repetition has no second effect."""

    code = "idempotency_key_missing"
    status = 400


class Unavailable(Refusal):
    """The database does not answer. Your request may have been accepted or not: sending it again is safe."""

    code = "log_unavailable"
    status = 503


class Erased(Refusal):
    """This data was erased and cannot be read any more."""

    code = "erased"
    status = 410


class Broken(Refusal):
    """Something went wrong on our side; nothing you sent was shown to anyone. Try again in a moment."""

    code = "internal"
    status = 500


class Invalid(Refusal):
    """Something in the request is missing or wrong."""

    code = "invalid"
    status = 422


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def text_of(request: Request, refusal: Refusal) -> str:
    """The refusal in the reader's language."""
    message = f"refusal.{refusal.code}"
    found = words(request).text(request.state.language, message)
    return refusal.default_text() if found == message else found


def answer(request: Request, refusal: Refusal, errors: list[dict[str, str]] | None = None) -> Response:
    """The refusal as a page or as a problem document."""
    detail = text_of(request, refusal)
    headers = {"Retry-After": "60" if refusal.status == 429 else "2"} if refusal.status in (429, 503) else {}
    if request.url.path == "/feed" and refusal.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="parvandeh feed"'  # RFC 9110: a 401 names how to sign in
    if wants_page(request):
        if isinstance(refusal, SignInNeeded):
            return RedirectResponse(f"/sign-in?next={_local(request)}", 303)
        template = "sign_in_failed.html" if isinstance(refusal, SignInFailed) else "error.html"
        page = render(request, template, refusal.status, detail=detail, field=refusal.field, errors=errors or [])
        page.headers.update(headers)
        return page
    problem: dict[str, Any] = {
        "type": f"urn:parvandeh:problem:{refusal.code}",
        "title": refusal.code.replace("_", " "),
        "status": refusal.status,
        "detail": detail,
    }
    if refusal.field:
        problem["field"] = refusal.field
    if errors:
        problem["errors"] = errors
    return JSONResponse(problem, refusal.status, headers, MEDIA_TYPE)


def _local(request: Request) -> str:
    return request.url.path if request.method == "GET" else "/"


def install(app: FastAPI) -> None:
    """Let the application answer every error by `answer`."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, Invalid(), _fields(error.errors()))

    @app.exception_handler(ValidationError)
    async def not_a_command(request: Request, error: ValidationError) -> Response:
        return answer(request, Invalid(), _fields(error.errors(include_input=False, include_url=False)))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return answer(request, NotFound())
        refusal = Invalid()
        refusal.status = error.status_code  # type: ignore[misc]
        return answer(request, refusal)

    @app.exception_handler(LogUnavailable)
    async def away(request: Request, _: LogUnavailable) -> Response:
        return answer(request, Unavailable())

    async def database_away(request: Request, error: Exception) -> Response:
        if not is_away(error):
            return await broken(request, error)
        _log.warning("database_away", error=type(error).__name__)
        return answer(request, Unavailable())

    for away_for_now in AWAY:
        app.exception_handler(away_for_now)(database_away)

    @app.exception_handler(KeyGone)
    async def erased(request: Request, _: KeyGone) -> Response:
        return answer(request, Erased())

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        # The type only: the text of an exception may repeat what a person entered.
        _log.error("request_failed", error=type(error).__name__, route=getattr(request.scope.get("route"), "path", "none"))
        return answer(request, Broken())


def _fields(errors: Any) -> list[dict[str, str]]:
    return [{"field": ".".join(str(part) for part in each["loc"]), "reason": str(each["type"])} for each in errors]

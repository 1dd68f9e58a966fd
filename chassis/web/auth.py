"""Authentication and authorization: the session behind a request, roles, CSRF tokens, idempotency keys."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request

from chassis.principal import Principal
from chassis.web.csrf import form_cookie, form_token, session_cookie
from chassis.web.problems import CsrfRejected, Forbidden, KeyMissing, NotFound, Unauthenticated, Unstorable

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
BACK_CHANNEL: Final = "/sign-in/oidc/logout"
"""Here the issuer itself posts, with a signed token in the place of a cookie and a form of ours."""


async def authenticate(request: Request) -> None:
    """Find the principal of the request, and refuse a forged form and what no database keeps. Runs before every route."""
    _address_can_be_asked(request)
    service = request.app.state.desk.service
    token = request.cookies.get(session_cookie(service))
    request.state.principal = await request.app.state.sessions.principal(token) if token else None
    if request.method in _SAFE or request.url.path == BACK_CHANNEL:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin", "none") or (origin and urlsplit(origin).netloc != request.headers.get("host")):
        raise CsrfRejected
    bound = token or request.cookies.get(form_cookie(service))
    if not bound:
        if request.url.path.startswith("/api/"):
            raise Unauthenticated
        raise CsrfRejected
    given = request.headers.get("x-csrf-token") or str((await _form(request)).get("_csrf", ""))
    if not hmac.compare_digest(given.encode(), form_token(bound).encode()):
        raise CsrfRejected
    form = await _form(request)
    _can_be_kept(form.multi_items() if isinstance(form, FormData) else ())


def _address_can_be_asked(request: Request) -> None:
    if "\0" in request.url.path or "\0" in request.scope["path"]:
        raise NotFound
    _can_be_kept(request.query_params.multi_items())


def _can_be_kept(fields: Iterable[tuple[str, Any]]) -> None:
    """Refuse U+0000 here, once for all: PostgreSQL's text cannot hold it, and every query would fail by its own error."""
    for name, value in fields:
        if isinstance(value, str) and "\0" in value:
            raise Unstorable(name if name.isidentifier() and name.isascii() else None)


async def _form(request: Request) -> Any:
    kind = request.headers.get("content-type", "")
    if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        return await request.form(max_files=40, max_fields=200)
    return {}


def signed_in(request: Request) -> Principal | None:
    """Who is signed in, or None."""
    found: Principal | None = getattr(request.state, "principal", None)
    return found


@dataclass(frozen=True)
class RequireRole:
    """Admits the given roles only."""

    roles: tuple[str, ...]

    async def __call__(self, request: Request) -> Principal:
        """The principal. Raises Unauthenticated without a session, Forbidden with another role."""
        principal = signed_in(request)
        if principal is None:
            raise Unauthenticated
        if principal.role not in self.roles:
            raise Forbidden
        return principal


def require(*roles: str) -> Any:
    """A dependency that gives the principal, or refuses: Unauthenticated without a session, Forbidden with another role."""
    return Depends(RequireRole(roles))


async def idempotency_key(request: Request) -> str:
    """The request's idempotency key: of the form that was shown, or of the API's header. Raises KeyMissing."""
    key = request.headers.get("idempotency-key") or str((await _form(request)).get("_once", ""))
    if not 8 <= len(key) <= 200:
        raise KeyMissing("Idempotency-Key")
    return key

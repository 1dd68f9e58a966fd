"""The cookies of a door, and the token that binds a form to one of them."""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request


def session_cookie(service: str) -> str:
    """The name of a service's session cookie: one per service, since all doors share a host on a single machine."""
    return f"parvandeh_{service}"


def form_cookie(service: str) -> str:
    """The cookie to which forms are bound before there is a session."""
    return f"parvandeh_{service}_form"


def oidc_cookie(service: str) -> str:
    """The cookie that binds a sign-in under way at the issuer to the browser that began it."""
    return f"parvandeh_{service}_oidc"


def by_tls(request: Request) -> bool:
    """Whether the browser speaks TLS to this door: a proxy that ends it may forward plain http, and the cookie must not."""
    desk, settings = request.app.state.desk, request.app.state.settings
    return request.url.scheme == "https" or str(settings.doors.get(desk.service, "")).startswith("https://")


def form_token(bound_to: str) -> str:
    """The CSRF token of a cookie: worthless with another."""
    return hmac.new(bound_to.encode(), b"parvandeh form", hashlib.sha256).hexdigest()

"""What stands before every route: security headers, limits of size and of rate. Pure ASGI, outermost first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.web.problems import BodyTooLarge, TooManyRequests, answer

DEFAULT_BODY: Final = 1024 * 1024
ENTERING: Final = MappingProxyType(
    {
        "POST": ("/sign-in", "/citizen/sign-in", "/citizen/code"),
        "GET": ("/sign-in/oidc", "/citizen/sign-in/oidc"),  # each makes a row
    }
)
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class HeadersMiddleware:
    """Puts the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, answering if scope["type"] == "http" else send)


class SizeMiddleware:
    """Refuses a body beyond its route's limit: by Content-Length at once, else as soon as the bytes are too many."""

    def __init__(self, app: ASGIApp, limits: Mapping[str, int]) -> None:
        self.app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        limit = next((size for path, size in self._limits.items() if scope["path"].startswith(path)), DEFAULT_BODY)
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > limit:
            await answer(request, BodyTooLarge())(scope, receive, send)
            return
        received, answered = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                return {"type": "http.request", "body": b"", "more_body": False}  # the rest is not read into memory or disk
            return message

        async def answering(message: Message) -> None:
            nonlocal answered
            if received <= limit:
                await send(message)
            elif not answered:  # whatever the route made of the cut body is replaced
                answered = True
                await answer(request, BodyTooLarge())(scope, receive, send)

        await self.app(scope, counted, answering)


class RateMiddleware:
    """Limits the requests per minute from one address; sign-in has a stricter limit."""

    def __init__(self, app: ASGIApp, a_minute: int, sign_in_a_minute: int) -> None:
        self.app = app
        # Not the one of limits.aio: that starts a task and a thread for each request, ten times what counting costs.
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._all, self._sign_in = RateLimitItemPerMinute(a_minute), RateLimitItemPerMinute(sign_in_a_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http" or scope["path"].startswith(("/static/", "/health", "/ready", "/metrics", "/status.json")):
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("unknown", 0))[0]
        entering = scope["path"] in ENTERING.get(scope["method"], ())
        limits = [("all", self._all)] + ([("sign-in", self._sign_in)] if entering else [])
        for name, item in limits:
            if not self._limiter.hit(item, name, address):
                await answer(Request(scope), TooManyRequests())(scope, receive, send)
                return
        await self.app(scope, receive, send)

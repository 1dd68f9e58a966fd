"""A deadline on every request: our own time is short, and a client who falls silent does not hold a door."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.web.problems import NothingArrived, TookTooLong, answer

_log = structlog.get_logger("web")
PAGE_SECONDS: Final = 10.0
"""Our own time until the response begins; waiting for the client to send does not count."""
CLIENT_SECONDS: Final = 30.0
"""Longest silence of a client mid-request or mid-response: an upload over a phone line may take many minutes in all."""


class DeadlineMiddleware:
    """Breaks off what takes longer, and says so by 503: whoever asked is never left without an answer.

    What was broken off may have its effect; its idempotency key makes sending it again safe.
    """

    def __init__(self, app: ASGIApp, page_seconds: float, client_seconds: float) -> None:
        self.app, self._page, self._client = app, page_seconds, client_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        began = client_is_silent = False
        try:
            async with asyncio.timeout(self._page) as limit:

                async def received() -> Message:
                    nonlocal client_is_silent
                    if began:  # who streams an answer also listens whether the client went away, however long
                        return await receive()
                    left = (limit.when() or now()) - now()
                    limit.reschedule(now() + self._client)
                    client_is_silent = True
                    message = await receive()
                    client_is_silent = False
                    limit.reschedule(now() + max(left, 0.0))
                    return message

                async def answering(message: Message) -> None:
                    nonlocal began
                    began = True
                    limit.reschedule(now() + self._client)
                    await send(message)
                    limit.reschedule(now() + self._page)

                await self.app(scope, received, answering)
        except TimeoutError:
            if not limit.expired():
                raise
            _log.warning("request_broken_off", began=began)
            if began:
                raise  # half an answer cannot be taken back: the server cuts the connection, and the client sees that it is half
            await answer(Request(scope), NothingArrived() if client_is_silent else TookTooLong())(scope, receive, send)

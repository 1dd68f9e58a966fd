"""What review's pages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from chassis.command_ids import http_command
from chassis.standing import Standing
from chassis.web.principal import Principal
from services.review.handle import Handling
from services.review.read import Cases

WAIT_SECONDS: Final = 2.0
"""How long a page waits for the rows to show what was just done."""


@dataclass(frozen=True)
class Room:
    """The service behind a request."""

    here: Standing
    cases: Cases
    handling: Handling


def room(request: Request) -> Room:
    """The room that the application was built with."""
    found: Room = request.app.state.room
    return found


def command_id(principal: Principal, route: str, stream: str, key: str) -> bytes:
    """The id of a command that a person sends to review."""
    return http_command("review", principal.subject, route, stream, key)

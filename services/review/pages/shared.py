"""What review's pages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from chassis.eventing.commands.ids import http_command
from chassis.principal import Principal
from chassis.runtime.container import Container
from services.review.handle import Handling
from services.review.read import Cases

WAIT_SECONDS: Final = 2.0
"""How long a page waits for the rows to show what was just done."""


@dataclass(frozen=True)
class Deps:
    """The service behind a request."""

    container: Container
    cases: Cases
    handling: Handling


def deps(request: Request) -> Deps:
    """The room that the application was built with."""
    found: Deps = request.app.state.deps
    return found


def command_id(principal: Principal, route: str, stream: str, key: str) -> bytes:
    """The id of a command that a person sends to review."""
    return http_command("review", principal.subject, route, stream, key)

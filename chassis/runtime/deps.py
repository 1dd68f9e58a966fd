"""What a page or a task of a service is given: its container, its queries, its command handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import Request

from chassis.eventing.commands.handler import Command, CommandHandler
from chassis.runtime.container import Container

Q = TypeVar("Q")
C = TypeVar("C", bound=Command)
S = TypeVar("S")
D = TypeVar("D")


@dataclass(frozen=True)
class Deps(Generic[Q, C, S]):
    """The dependencies of a service that decides."""

    container: Container
    queries: Q
    """The questions of its read.py."""
    handler: CommandHandler[C, S]


def deps_of(kind: type[D]) -> Callable[[Request], D]:
    """The function by which a service's pages reach their dependencies, with the type that they have there."""

    def deps(request: Request) -> D:
        """The dependencies that the application was opened with."""
        found = request.app.state.deps
        if not isinstance(found, kind):
            raise TypeError(f"the application has no {kind.__name__}")
        return found

    return deps

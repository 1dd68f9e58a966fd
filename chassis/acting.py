"""Who acts, on which stream, under which command id: a person at a door, or an item of the agenda."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from caselog.read import Loaded
from chassis.agenda.items import Item
from chassis.handling import Command, Done, Handler
from chassis.web.principal import Principal
from schemas.fact import Fact
from schemas.facts import AnyFact

C = TypeVar("C", bound=Command)
S = TypeVar("S")

Alias = Callable[[str, str], str]
"""`alias(subject, stream)`: another name of a person in each stream."""


class Acting(Generic[C, S]):
    """Carries out the commands of one service by its pure core."""

    def __init__(
        self,
        service: str,
        handler: Handler,
        alias: Alias,
        *,
        initial: S,
        evolve: Callable[[S, AnyFact, datetime], S],
        decide: Callable[[Any, S, datetime], Sequence[Fact]],
    ) -> None:
        self._service, self._handler, self._alias = service, handler, alias
        self._core: dict[str, Any] = {"initial": initial, "evolve": evolve, "decide": decide}

    async def by_person(
        self,
        command: C,
        principal: Principal,
        *,
        stream: str,
        command_id: bytes,
        seen: int | None = None,
        loaded: Loaded | None = None,
    ) -> Done:
        """What a signed-in person asks for; `seen`: the version of the stream on the page that was read; `loaded`: see `look`."""
        actor = f"{principal.role}:{self._alias(principal.subject, stream)}"
        return await self._handler.handle(
            command, stream=stream, command_id=command_id, actor=actor, seen=seen, loaded=loaded, **self._core
        )

    async def by_agenda(self, command: C, item: Item) -> Done:
        """What an item of the agenda asks for."""
        actor = f"system:{self._service}"
        return await self._handler.handle(
            command, stream=item.target, command_id=item.id, cause=item.cause_name, actor=actor, **self._core
        )

    async def look(self, command: C, *, stream: str, command_id: bytes) -> Done | Loaded:
        """What became of a command that was carried out before; the stream as it stands when it never was."""
        return await self._handler.look(command, stream=stream, command_id=command_id)

"""Who acts, on which stream, under which command id: a person at a door, or an item of the agenda."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from caselog.read import Loaded
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.commands.handler import Command, CommandHandler, CommandResult
from chassis.principal import Principal
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
        handler: CommandHandler,
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
        expected_by_page: int | None = None,
        loaded: Loaded | None = None,
    ) -> CommandResult:
        """What a signed-in person asks for.

        `expected_by_page`: the version of the stream on the page that was read; `loaded`: see `find_previous`.
        """
        actor = f"{principal.role}:{self._alias(principal.subject, stream)}"
        return await self._handler.handle(
            command,
            stream=stream,
            command_id=command_id,
            actor=actor,
            expected_by_page=expected_by_page,
            loaded=loaded,
            **self._core,
        )

    async def by_agenda(self, command: C, task: ClaimedTask) -> CommandResult:
        """What an item of the agenda asks for."""
        actor = f"system:{self._service}"
        return await self._handler.handle(
            command, stream=task.target, command_id=task.id, cause=task.cause_name, actor=actor, **self._core
        )

    async def find_previous(self, command: C, *, stream: str, command_id: bytes) -> CommandResult | Loaded:
        """What became of a command that was carried out before; the stream as it stands when it never was."""
        return await self._handler.find_previous(command, stream=stream, command_id=command_id)

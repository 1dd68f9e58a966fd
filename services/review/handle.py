"""Load, decide, append for review: who acts, on which stream, under which command id."""

from __future__ import annotations

from chassis.agenda.items import Item
from chassis.handling import Done, Handler
from chassis.vault.vault import Vault
from chassis.web.principal import Principal
from services.review.commands import ReviewCommand
from services.review.decide import State, decide, evolve


class Handling:
    """Carries out review's commands."""

    def __init__(self, handler: Handler, vault: Vault) -> None:
        self._handler, self._vault = handler, vault

    def actor(self, principal: Principal, stream: str) -> str:
        """Role and alias: another alias in each stream."""
        return f"{principal.role}:{self._vault.alias(principal.subject, stream)}"

    async def by_person(
        self, command: ReviewCommand, principal: Principal, *, stream: str, command_id: bytes, seen: int | None = None
    ) -> Done:
        """What a signed-in person asks for; `seen`: the version of the case on the page that was read."""
        return await self._handler.handle(
            command,
            stream=stream,
            command_id=command_id,
            actor=self.actor(principal, stream),
            initial=State(),
            evolve=evolve,
            decide=decide,
            seen=seen,
        )

    async def by_agenda(self, command: ReviewCommand, item: Item) -> Done:
        """What an item of the agenda asks for."""
        return await self._handler.handle(
            command,
            stream=item.target,
            command_id=item.id,
            cause=item.cause_name,
            actor="system:review",
            initial=State(),
            evolve=evolve,
            decide=decide,
        )

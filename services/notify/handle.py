"""Load, decide, append for notify: only the agenda acts here."""

from __future__ import annotations

from chassis.agenda.items import Item
from chassis.handling import Done, Handler
from services.notify.commands import NotifyCommand
from services.notify.decide import State, decide, evolve


class Handling:
    """Carries out notify's commands."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def by_agenda(self, command: NotifyCommand, item: Item) -> Done:
        """What an item of the agenda asks for."""
        return await self._handler.handle(
            command,
            stream=item.target,
            command_id=item.id,
            cause=item.cause_name,
            actor="system:notify",
            initial=State(),
            evolve=evolve,
            decide=decide,
        )

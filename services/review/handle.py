"""Load, decide, append for review."""

from __future__ import annotations

from functools import partial

from chassis.eventing.commands.acting import Acting
from chassis.eventing.commands.handler import CommandHandler
from chassis.privacy.vault import Vault
from services.review.commands import ReviewCommand
from services.review.decide import State, decide, evolve


class Handling(Acting[ReviewCommand, State]):
    """Carries out review's commands."""

    def __init__(self, handler: CommandHandler, vault: Vault) -> None:
        super().__init__(
            "review",
            handler,
            vault.alias,
            initial=State(),
            evolve=evolve,
            decide=partial(decide, working_time=handler.working_time),
        )

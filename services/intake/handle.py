"""Load, decide, append for intake."""

from __future__ import annotations

from functools import partial

from chassis.eventing.commands.acting import Acting
from chassis.eventing.commands.handler import CommandHandler
from chassis.privacy.vault import Vault
from services.intake.commands import IntakeCommand
from services.intake.decide import State, decide, evolve


class Handling(Acting[IntakeCommand, State]):
    """Carries out intake's commands."""

    def __init__(self, handler: CommandHandler, vault: Vault) -> None:
        super().__init__(
            "intake",
            handler,
            vault.alias,
            initial=State(),
            evolve=evolve,
            decide=partial(decide, working_time=handler.working_time),
        )

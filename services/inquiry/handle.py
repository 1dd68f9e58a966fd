"""Load, decide, append for inquiry."""

from __future__ import annotations

from functools import partial

from chassis.eventing.commands.acting import Acting
from chassis.eventing.commands.handler import CommandHandler
from chassis.privacy.vault import Vault
from services.inquiry.commands import InquiryCommand
from services.inquiry.decide import State, decide, evolve


class Handling(Acting[InquiryCommand, State]):
    """Carries out inquiry's commands."""

    def __init__(self, handler: CommandHandler, vault: Vault) -> None:
        super().__init__(
            "inquiry",
            handler,
            vault.alias,
            initial=State(),
            evolve=evolve,
            decide=partial(decide, working_time=handler.working_time),
        )

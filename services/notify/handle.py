"""Load, decide, append for notify: only the agenda acts here."""

from __future__ import annotations

from chassis.eventing.commands.acting import Acting
from chassis.eventing.commands.handler import CommandHandler
from chassis.privacy.vault import Vault
from services.notify.commands import NotifyCommand
from services.notify.decide import State, decide, evolve


class Handling(Acting[NotifyCommand, State]):
    """Carries out notify's commands."""

    def __init__(self, handler: CommandHandler, vault: Vault) -> None:
        super().__init__("notify", handler, vault.alias, initial=State(), evolve=evolve, decide=decide)

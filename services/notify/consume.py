"""Notify's bus door: what it builds from the facts, and which messages it owes because of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.agenda.items import Owed
from chassis.agenda.reader import agenda_reader
from chassis.bus.readers import Reader
from chassis.vault.vault import Vault
from schemas.envelope import Recorded
from schemas.facts import AnyFact
from services.notify.decide import messages_for
from services.notify.project import projection

_REACTIONS: Final = {"inapp": "send_inapp", "sms": "send_sms", "email": "send_email"}


def readers(_vault: Vault) -> Sequence[Reader]:
    """Every reader of notify."""
    return (projection(), agenda_reader("notify", 1, owe))


def owe(fact: AnyFact, _recorded: Recorded) -> list[Owed]:
    """The messages that `fact` makes owed; those of one channel go in order."""
    return [
        Owed(_REACTIONS[message.channel], recipient=f"applicant {message.channel}", details={"template": message.template})
        for message in messages_for(fact)
    ]

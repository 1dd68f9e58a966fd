"""Notify's processors, and its reactions: the messages that each fact causes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.eventing.agenda.processor import agenda_processor
from chassis.eventing.agenda.task import Task
from chassis.eventing.processors.processor import EventProcessor
from chassis.privacy.vault import Vault
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.facts import CODEC
from services.notify.decide import messages_for
from services.notify.project import projection

VERSION: Final = 1

_REACTIONS: Final = {"inapp": "send_inapp", "sms": "send_sms", "email": "send_email"}


def processors(_vault: Vault) -> Sequence[EventProcessor]:
    """Every processor of notify."""
    return (projection(), agenda_processor("notify", VERSION, react, codec=CODEC))


def react(fact: Fact, _recorded: RecordedFact) -> list[Task]:
    """The messages that `fact` causes; those of one channel go in order."""
    return [
        Task(_REACTIONS[message.channel], recipient=f"applicant {message.channel}", details={"template": message.template})
        for message in messages_for(fact)
    ]

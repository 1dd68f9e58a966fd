"""The dependencies of notify's pages and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chassis.runtime.container import Container
from chassis.runtime.deps import Deps, deps_of
from chassis.runtime.message_gateway import MessageGateway
from chassis.web.i18n import OWN_LOCALE, Translations
from services.notify.commands import NotifyCommand
from services.notify.decide import DECIDER, State
from services.notify.read import Messages


@dataclass(frozen=True)
class NotifyDeps(Deps[Messages, NotifyCommand, State]):
    """Notify's queries and its command handler, and by what it tells people which words."""

    gateway: MessageGateway
    translations: Translations


def open_deps(container: Container) -> NotifyDeps:
    """The dependencies of a process of notify."""
    settings = container.settings
    return NotifyDeps(
        container,
        Messages(container.db),
        container.handler(DECIDER),
        MessageGateway(settings.outbox, settings.smtp),
        Translations([OWN_LOCALE, Path(__file__).with_name("locale")]),
    )


deps = deps_of(NotifyDeps)

"""The commands of notify's agenda: recording what was sent."""

from __future__ import annotations

from chassis.eventing.commands.handler import Command


class RecordSent(Command):
    """A channel took a message."""

    template: str
    channel: str
    about: str
    key: str


class RecordFailed(Command):
    """A channel refused a message for good."""

    template: str
    channel: str
    about: str
    reason: str


NotifyCommand = RecordSent | RecordFailed
"""Every command of notify."""

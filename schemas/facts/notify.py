"""The facts that notify writes: pure records of what was told to whom, never the words."""

from __future__ import annotations

from typing import ClassVar

from schemas.envelope.fact import Fact, Writer


class NotifyFact(Fact):
    WRITER: ClassVar[Writer] = Writer.NOTIFY
    RECORD: ClassVar[bool] = True


class MessageSent(NotifyFact):
    """A message was handed to a channel; a repeat carries the same key."""

    TYPE: ClassVar[str] = "message.sent"
    VERSION: ClassVar[int] = 1

    template: str
    channel: str
    """`inapp`, `sms` or `email`."""
    recipient: str
    """`applicant` or `office`: a role, never an address."""
    about: str
    """shard:seq of the fact that is told."""
    key: str
    """The idempotency key given to the channel, hex."""


class MessageFailed(NotifyFact):
    """A channel refused for good; the citizen has not been told by it."""

    TYPE: ClassVar[str] = "message.failed"
    VERSION: ClassVar[int] = 1

    template: str
    channel: str
    recipient: str
    about: str
    reason: str
    """A coded reason; never the channel's own words, which may hold an address."""

"""Notify's decisions: which facts are announced, to whom, by which channel; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from chassis.eventing.commands.decider import Decider
from chassis.refusal import Refusal
from schemas.envelope.calendar import IRAN, WorkingTime
from schemas.envelope.fact import Fact
from schemas.envelope.folds import StateFold
from schemas.facts import CODEC, inquiry, intake, notify, review
from schemas.facts.intake import Channel
from services.notify import commands as c


class NoSuchCase(Refusal):
    """There is no such case."""

    code = "no_such_case"
    status = 404


class NoAddress(Refusal):
    """The applicant gave no address for this channel."""

    code = "no_address"


@dataclass(frozen=True, slots=True)
class Message:
    """One message that a fact causes."""

    template: str
    channel: str
    """`inapp`, `sms` or `email`."""


@dataclass(frozen=True, slots=True)
class State:
    """A case as notify sees it."""

    channel: Channel | None = None


APPLICANT: Final = "applicant"
OFFICE: Final = "office"
"""The counter office that filed; it is told in its list, never by text message or e-mail."""

_EVERYWHERE: Final = ("inapp", "sms", "email")
_TOLD: Final[dict[type[Fact], tuple[str, tuple[str, ...]]]] = {
    intake.CaseSubmitted: ("filed", _EVERYWHERE),
    intake.IdentityQuestioned: ("papers_asked", _EVERYWHERE),
    intake.IdentityConfirmed: ("papers_confirmed", ("inapp",)),
    review.DrawMade: ("review_began", ("inapp",)),
    review.CorrectionRequested: ("correction_asked", _EVERYWHERE),
    inquiry.InquiryOpened: ("agency_asked", ("inapp",)),
    inquiry.InquiryAnswered: ("agency_answered", ("inapp",)),
    review.CaseSuspended: ("suspended", _EVERYWHERE),
    review.CaseResumed: ("resumed", ("inapp",)),
    review.CaseRejected: ("rejected", _EVERYWHERE),
    intake.CaseWithdrawn: ("withdrawn", ("inapp",)),
    intake.CertificateIssued: ("certificate_issued", _EVERYWHERE),
}
"""An approval is announced with its certificate: any earlier, the citizen would look for a paper that does not exist yet."""


def messages_for(fact: Fact) -> tuple[Message, ...]:
    """What the applicant is told about `fact`."""
    template, channels = _TOLD.get(type(fact), ("", ()))
    return tuple(Message(template, channel) for channel in channels)


@StateFold
def evolve(_state: State, fact: intake.CaseSubmitted, _at: datetime) -> State:
    """The state after `fact`; notify decides on the fact alone and only needs to know that there is a case."""
    return State(fact.channel)


def decide(command: c.NotifyCommand, state: State, _at: datetime, *, working_time: WorkingTime = IRAN) -> list[Fact]:  # noqa: ARG001
    """The record that `command` causes; it needs no calendar. Raises NoSuchCase."""
    if state.channel is None:
        raise NoSuchCase
    match command:
        case c.RecordSent():
            return [notify.MessageSent(recipient=each, **command.model_dump()) for each in _told_by(command.channel, state)]
        case c.RecordFailed():
            return [notify.MessageFailed(recipient=APPLICANT, **command.model_dump())]
        case _:
            assert_never(command)


def _told_by(channel: str, state: State) -> tuple[str, ...]:
    """Who is told by one hand-over: a notice in the portal reaches the office that filed together with the applicant.

    Both in one append: else one of them could be told and the other not, and nobody would see it.
    """
    return (APPLICANT, OFFICE) if channel == "inapp" and state.channel is Channel.OFFICE else (APPLICANT,)


DECIDER: Final = Decider[c.NotifyCommand, State](State(), evolve, decide, CODEC)
"""Notify's decider."""

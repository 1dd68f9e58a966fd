"""Registration at review: its staff, and which of them can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import typer

from caselog.read import LogReader
from chassis.accounts.cli_input import RegistrationRefused, identifier, whole
from chassis.accounts.oidc.people import is_staff
from chassis.accounts.registration import Registration, run_at
from chassis.eventing.commands.handler import SYSTEM
from chassis.eventing.commands.loaded_stream import LoadedStream
from chassis.principal import Principal
from chassis.runtime.container import Container
from schemas.catalogue import catalogue
from schemas.command_line import CommandLine
from schemas.envelope.fact import StreamKind
from schemas.facts.review import ReviewerEnrolled
from services.review.commands import EnrolReviewer, RetireReviewer
from services.review.decide import DECIDER
from services.review.refusals import InvalidField

ROLES: Final = ("reviewer", "supervisor")
"""The staff of this desk (domain.md, Who acts)."""
REVIEWER: Final = CommandLine("The reviewers who can be drawn.")
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="The account, or what `subject SUB` prints.")]


@REVIEWER.command("enrol")
async def enrol_reviewer(
    context: typer.Context,
    subject: Subject,
    district: Annotated[list[str], typer.Option(metavar="DISTRICT", help="A district whose cases they review; may be repeated.")],
    stage: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help="A stage that they decide; may be repeated. All stages when omitted."),
    ] = None,
    weight: Annotated[str, typer.Option(metavar="WEIGHT", help="Their share of the draws, 1 to 100.")] = "1",
    office: Annotated[
        str | None, typer.Option(metavar="OFFICE", help="An office that they have ties to; they are never drawn for its cases.")
    ] = None,
) -> int:
    """Enrol a reviewer, who can be drawn from now on."""

    async def done(container: Container) -> str:
        await _can_come_in(container, identifier("SUBJECT", subject))
        if office and not await container.log.stream(f"office:{identifier('--office', office)}", until_version=1):
            raise RegistrationRefused("--office", "there is no such office; intake's `office register` adds it")
        command = EnrolReviewer(
            districts=tuple(sorted({whole("--district", each) for each in district})),
            stages=tuple(sorted(set(stage or ()))),
            weight=whole("--weight", weight),
            office=office,
        )
        new = await enrol(container, subject, command)
        return f"{subject} can now be drawn" if new else f"Nothing was changed: {subject} is already enrolled."

    return await run_at(context, done)


@REVIEWER.command("retire")
async def retire_reviewer(
    context: typer.Context,
    subject: Subject,
    reason: Annotated[str, typer.Option(metavar="REASON", help="Why: a code from the catalogue.")],
) -> int:
    """Retire a reviewer; their open cases are drawn again."""

    async def done(container: Container) -> str:
        return await _retire(container, identifier("SUBJECT", subject), reason)

    return await run_at(context, done)


@REVIEWER.command("list")
async def list_reviewers(context: typer.Context) -> int:
    """List all reviewers who have ever been enrolled."""

    async def done(container: Container) -> str:
        lines = [await _line(container.log, each) for each in await container.log.streams(StreamKind.STAFF)]
        return "\n".join(lines) or "nobody has ever been enrolled"

    return await run_at(context, done)


async def _line(log: LogReader, stream: str) -> str:
    found = await LoadedStream.load(log, stream, DECIDER)
    if found is None:
        raise LookupError(stream)
    last = next(fact for _, fact in reversed(found.facts) if isinstance(fact, ReviewerEnrolled))
    return (
        f"{stream.removeprefix('staff:'):<38} {'can be drawn' if found.state.enrolled else 'retired':<12}"
        f"  districts {','.join(map(str, last.districts)):<10} weight {last.weight:<4}"
        f" stages {','.join(last.stages) or 'all'}  office {last.office or '-'}"
    )


async def enrol(container: Container, subject: str, command: EnrolReviewer) -> bool:
    """Enrol a reviewer; False if they already were. Raises RegistrationRefused."""
    found = await LoadedStream.load(container.log, f"staff:{subject}", DECIDER)
    if found is not None and found.state.enrolled:
        last = next(fact for _, fact in reversed(found.facts) if isinstance(fact, ReviewerEnrolled))
        if last == ReviewerEnrolled(**command.model_dump()):
            return False
        raise RegistrationRefused("SUBJECT", "is already enrolled with other details; `reviewer retire` first, then enrol again")
    try:
        await _send(container, command, subject, found.version if found else 0)
    except InvalidField as refused:
        raise RegistrationRefused(*_WRONG[refused.field or ""]()) from None
    return True


async def _retire(container: Container, subject: str, reason: str) -> str:
    found = await LoadedStream.load(container.log, f"staff:{subject}", DECIDER)
    if found is None:
        raise RegistrationRefused("SUBJECT", "nobody with this name has ever been enrolled")
    if not found.state.enrolled:
        return f"Nothing was changed: {subject} has already retired."
    try:
        await _send(container, RetireReviewer(reason=reason), subject, found.version)
    except InvalidField as refused:
        raise RegistrationRefused(*_WRONG[refused.field or ""]()) from None
    return f"{subject} is retired; their open cases are drawn again"


async def _send(container: Container, command: EnrolReviewer | RetireReviewer, subject: str, version: int) -> None:
    # The version, since one who left can come back: the same words then are another command.
    stream, key = f"staff:{subject}", f"{type(command).__name__} after {version}"
    await container.handler(DECIDER).execute(command, by=Principal(SYSTEM, "review"), on=stream, key=key)


async def _can_come_in(container: Container, subject: str) -> None:
    """Raises RegistrationRefused: a case drawn for a name that nobody has would wait forever."""
    if container.settings.oidc.on and is_staff(subject):
        return
    found = await container.accounts.find(subject)
    if found is None or not found.active or found.principal.role != "reviewer":
        wanted = "`account add` creates one" + (", or name what `subject SUB` prints" if container.settings.oidc.on else "")
        raise RegistrationRefused("SUBJECT", f"this desk has no open reviewer account with this name: {wanted}")


async def still(log: LogReader, subject: str) -> str:
    """Advice about somebody whose account was closed or changed and who is still in the pool."""
    found = await LoadedStream.load(log, f"staff:{subject}", DECIDER)
    if found is None or not found.state.enrolled:
        return ""
    return f"{subject} can still be drawn as a reviewer: `reviewer retire {subject} --reason ...` ends that"


def _stages() -> list[str]:
    kinds = catalogue().types.values()
    return sorted({stage.key for kind in kinds for stage in kind.stages if stage.key == kind.decided_in})


_WRONG: Final[Mapping[str, Callable[[], tuple[str, str]]]] = {
    "districts": lambda: ("--district", "the city has districts 1 to 5"),
    "stages": lambda: ("--stage", f"cases are decided in {', '.join(_stages())}"),
    "weight": lambda: ("--weight", "must be 1 to 100"),
    "reason": lambda: ("--reason", f"must be one of {', '.join(catalogue().codes['retirements'])}"),
}
"""The decision's refusals, by their names on a terminal."""

REGISTRATION: Final = Registration(ROLES, commands={"reviewer": REVIEWER}, still=still)

"""Sending a command with papers: look, check, stage, store, append, wait; each step in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chassis.eventing.commands.handler import CommandResult
from chassis.eventing.processors.processor import Reach
from chassis.principal import Principal
from services.intake.commands import AnswerCorrection, AnswerIdentity, SubmitCase
from services.intake.deps import IntakeDeps
from services.intake.pages.shared import Upload, store


@dataclass(frozen=True)
class Filing:
    """A command and the files of its form, with its sender and idempotency key."""

    command: SubmitCase | AnswerIdentity | AnswerCorrection
    files: Sequence[Upload]
    by: Principal
    on: str
    """The case's stream."""
    key: str


async def submit_with_documents(
    deps: IntakeDeps, filing: Filing, *, check: Callable[[], object] | None = None, wait_seconds: float = 0
) -> Reach:
    """Carry out a command whose papers are sealed and stored first; whether the list of cases shows it within `wait_seconds`.

    A repetition stores nothing again. `check` refuses before anything is stored. Papers of a command that was refused are
    deleted. Raises what storing and the decision refuse.
    """
    command, by, on, key = filing.command, filing.by, filing.on, filing.key
    found = await deps.handler.find_previous(command, by=by, on=on, key=key)
    if isinstance(found, CommandResult):
        return Reach.REACHED
    if check is not None:
        check()
    async with deps.container.staging(on.removeprefix("case:")) as staged:
        command = command.model_copy(update={"stored": await store(staged, filing.files, person=command.person)})
        result = await deps.handler.execute(command, by=by, on=on, key=key, loaded=found)
        staged.appended(result)
    if not wait_seconds:
        return Reach.NOT_YET
    return await deps.container.inbox.wait("cases", result.events[-1].position, on, wait_seconds)

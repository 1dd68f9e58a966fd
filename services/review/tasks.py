"""How each task of review's agenda is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import RetryLater
from chassis.eventing.commands.ids import agenda_command
from chassis.refusal import Stale
from services.review import commands as c
from services.review.deps import ReviewDeps
from services.review.project import NAME as PROJECTION
from services.review.witness_client import signature


async def set_target(task: ClaimedTask, deps: ReviewDeps) -> None:
    await deps.handler.execute_task(c.SetTarget(), task)


async def pass_target(task: ClaimedTask, deps: ReviewDeps) -> None:
    await deps.handler.execute_task(c.PassTarget(), task)


async def escalate_correction(task: ClaimedTask, deps: ReviewDeps) -> None:
    await deps.handler.execute_task(c.EscalateCorrection(round=int(task.key)), task)


async def commit_draw(task: ClaimedTask, deps: ReviewDeps) -> None:
    case = await deps.queries.load(task.target.removeprefix("case:"))
    if case is None or case.state.ended:
        raise Stale
    pool, exclusions = await deps.queries.pool(case)
    witnesses = tuple(each.key for each in deps.witnesses)
    await deps.handler.execute_task(c.CommitDraw(pool=pool, exclusions=exclusions, witnesses=witnesses), task)


async def make_draw(task: ClaimedTask, deps: ReviewDeps) -> None:
    signatures = [await signature(each, stream=task.stream, position=task.cause, link=task.cause_link) for each in deps.witnesses]
    command = c.MakeDraw(round=int(task.key), commitment=task.cause_link.hex(), signatures=tuple(signatures))
    await deps.handler.execute_task(command, task)


async def check_drawn(task: ClaimedTask, deps: ReviewDeps) -> None:
    case = await deps.queries.load(task.target.removeprefix("case:"))
    if case is None or case.state.ended or not case.state.drawn:
        raise Stale
    who = await deps.queries.drawn_in(case)
    if who is None:
        raise RetryLater  # drawn from a pool that review's rows do not fully know yet
    if await deps.queries.can_be_drawn(who):
        raise Stale
    await deps.handler.execute_task(c.TakeBack(round=case.state.round), task)


async def take_back(task: ClaimedTask, deps: ReviewDeps) -> None:
    who, inbox = task.stream.removeprefix("staff:"), deps.container.inbox
    if await deps.queries.can_be_drawn(who):
        raise Stale  # has since come back: what is drawn for them now stays
    await inbox.catch_up(PROJECTION)  # a case that was drawn before the departure is among the rows then
    for row in await deps.queries.queue(who):
        # An id for each case: with the task's own, the first fact would close it for all.
        this = agenda_command("review", f"take_back {row['stream']}", task.cause_link, task.ordinal)
        with suppress(Stale):  # decided or withdrawn in the meantime
            await deps.handler.execute_task(c.TakeBack(round=row["round"]), replace(task, id=this, target=row["stream"]))
    if await inbox.stores[PROJECTION].parked():
        raise RetryLater  # a case of theirs may be among what could not be applied: looked for again when it is released


TASKS: Final[Mapping[str, Callable[[ClaimedTask, ReviewDeps], Awaitable[None]]]] = {
    "check_drawn": check_drawn,
    "take_back": take_back,
    "set_target": set_target,
    "pass_target": pass_target,
    "escalate_correction": escalate_correction,
    "commit_draw": commit_draw,
    "make_draw": make_draw,
}

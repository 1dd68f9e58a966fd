"""Review, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from fastapi import FastAPI

from chassis.accounts.accounts import Account
from chassis.eventing.agenda.task import ClaimedTask
from chassis.eventing.agenda.worker import RetryLater, TaskHandler
from chassis.eventing.commands.ids import agenda_command
from chassis.refusal import Stale, refusals_in
from chassis.runtime.cli import ServiceApp
from chassis.runtime.container import Container, open_container
from chassis.runtime.lifespan import metrics_of, ready, service_lifespan, status
from chassis.runtime.witness_client import load, signature
from chassis.settings import Settings
from chassis.web.app import create_web_app
from chassis.web.pages import Link
from services.review import commands as c
from services.review import refusals
from services.review.handle import Handling
from services.review.pages import ROUTERS
from services.review.pages.shared import Deps
from services.review.project import NAME as PROJECTION
from services.review.reactions import processors
from services.review.read import Cases
from services.review.registration import REGISTRATION, ROLES, enrol
from services.review.settings import PACKAGE, TITLE

LINKS = (Link("/queue", "My queue", ("reviewer",)), Link("/supervision", "Supervision", ("supervisor",)))
DEMONSTRATION = {"rev-1": (1, 2, 3), "rev-2": (1, 3, 5), "rev-3": (2, 4), "rev-4": (2, 4, 5), "rev-5": (1, 2, 3, 4, 5)}


def open_service(settings: Settings) -> AbstractAsyncContextManager[Container]:
    """Review's adapters."""
    return open_container(settings, "review", processors)


def create_app(settings: Settings) -> FastAPI:
    """Review's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service_lifespan(app, open_service(settings), roles=ROLES, reactions=reactions) as container:
            app.state.deps = Deps(
                container, Cases(container.db, container.log, container.vault), Handling(container.handler, container.vault)
            )
            yield

    return create_web_app(
        service="review",
        title=TITLE,
        settings=settings,
        lifespan=lifespan,
        routers=ROUTERS,
        package=PACKAGE,
        ready=ready,
        status=status,
        metrics=metrics_of(settings, "review"),
        refusals=refusals_in(refusals),
        links=LINKS,
    )


def reactions(container: Container) -> Mapping[str, TaskHandler]:
    """What review owes, by reaction."""
    handling, cases = Handling(container.handler, container.vault), Cases(container.db, container.log, container.vault)
    witnesses = load(container.settings.keys / "witnesses.json")

    async def set_target(task: ClaimedTask) -> None:
        await handling.by_agenda(c.SetTarget(), task)

    async def pass_target(task: ClaimedTask) -> None:
        await handling.by_agenda(c.PassTarget(), task)

    async def escalate_correction(task: ClaimedTask) -> None:
        await handling.by_agenda(c.EscalateCorrection(round=int(task.key)), task)

    async def commit_draw(task: ClaimedTask) -> None:
        case = await cases.load(task.target.removeprefix("case:"))
        if case is None or case.state.ended:
            raise Stale
        pool, exclusions = await cases.pool(case)
        command = c.CommitDraw(pool=pool, exclusions=exclusions, witnesses=tuple(each.key for each in witnesses))
        await handling.by_agenda(command, task)

    async def make_draw(task: ClaimedTask) -> None:
        signatures = [await signature(each, stream=task.stream, position=task.cause, link=task.cause_link) for each in witnesses]
        command = c.MakeDraw(round=int(task.key), commitment=task.cause_link.hex(), signatures=tuple(signatures))
        await handling.by_agenda(command, task)

    async def check_drawn(task: ClaimedTask) -> None:
        case = await cases.load(task.target.removeprefix("case:"))
        if case is None or case.state.ended or not case.state.drawn:
            raise Stale
        who = await cases.drawn_in(case)
        if who is None:
            raise RetryLater  # drawn from a pool of which review's rows do not know everybody yet
        if await cases.can_be_drawn(who):
            raise Stale
        await handling.by_agenda(c.TakeBack(round=case.state.round), task)

    async def take_back(task: ClaimedTask) -> None:
        who = task.stream.removeprefix("staff:")
        if await cases.can_be_drawn(who):
            raise Stale  # came back since: what is drawn for them now stays
        await container.inbox.catch_up(PROJECTION)  # a case that was drawn before the departure is among the rows then
        for row in await cases.queue(who):
            # An id for each case: with the item's own, the first fact would close it for all.
            this = agenda_command("review", f"take_back {row['stream']}", task.cause_link, task.ordinal)
            with suppress(Stale):  # decided or withdrawn meanwhile
                await handling.by_agenda(c.TakeBack(round=row["round"]), replace(task, id=this, target=row["stream"]))
        if await container.inbox.stores[PROJECTION].parked():
            raise RetryLater  # a case of theirs may be among what could not be applied: looked for again when it is released

    return {
        "check_drawn": check_drawn,
        "take_back": take_back,
        "set_target": set_target,
        "pass_target": pass_target,
        "escalate_correction": escalate_correction,
        "commit_draw": commit_draw,
        "make_draw": make_draw,
    }


async def demonstrate(container: Container) -> None:
    """Demonstration accounts and enrolled reviewers; asked again, it changes nothing."""
    staff = [
        Account(key, f"reviewer{key[-1]}", f"reviewer{key[-1]}-demo", "reviewer", f"بررسی‌کنندهٔ {key[-1]}")
        for key in DEMONSTRATION
    ]
    supervisor = Account("sup-1", "supervisor1", "supervisor1-demo", "supervisor", "ناظر")
    await container.accounts.put([*staff, supervisor], demonstration=True)
    for key, districts in DEMONSTRATION.items():
        if not await container.log.stream(f"staff:{key}", until_version=1):  # one who was retired since is not enrolled anew
            await enrol(container, key, c.EnrolReviewer(districts=districts, stages=()))


PROCESS = ServiceApp(
    service="review",
    package=PACKAGE,
    open_container=open_service,
    create_app=create_app,
    reactions=reactions,
    demonstrate=demonstrate,
    registration=REGISTRATION,
    refusals=refusals_in(refusals),
)

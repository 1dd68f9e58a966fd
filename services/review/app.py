"""Review, built: adapters, routes, subscriber, projections, reactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from fastapi import FastAPI

from chassis.agenda.items import Item
from chassis.agenda.worker import CarryOut, Later
from chassis.command_ids import agenda_command
from chassis.opening import METRICS, opened, ready, status
from chassis.process import Process
from chassis.refusal import Stale, refusals_in
from chassis.settings import Ground
from chassis.standing import Standing, standing
from chassis.web.accounts import Account
from chassis.web.application import application
from chassis.web.pages import Link
from chassis.witnesses import load, signature
from services.review import commands as c
from services.review import refusals
from services.review.consume import readers
from services.review.enrolment import ENROLMENT, ROLES, enrol
from services.review.handle import Handling
from services.review.pages import ROUTERS
from services.review.pages.room import Room
from services.review.project import NAME as PROJECTION
from services.review.read import Cases
from services.review.settings import ROOM, TITLE

LINKS = (Link("/queue", "My queue", ("reviewer",)), Link("/supervision", "Supervision", ("supervisor",)))
DEMONSTRATION = {"rev-1": (1, 2, 3), "rev-2": (1, 3, 5), "rev-3": (2, 4), "rev-4": (2, 4, 5), "rev-5": (1, 2, 3, 4, 5)}


def stand(ground: Ground) -> AbstractAsyncContextManager[Standing]:
    """Review's adapters."""
    return standing(ground, "review", readers)


def door(ground: Ground) -> FastAPI:
    """Review's web application with its inbox."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(app, stand(ground), roles=ROLES) as here:
            app.state.room = Room(here, Cases(here.own, here.log, here.vault), Handling(here.handler, here.vault))
            yield

    return application(
        service="review",
        title=TITLE,
        ground=ground,
        lifespan=lifespan,
        routers=ROUTERS,
        room=ROOM,
        ready=ready,
        status=status,
        metrics=METRICS,
        refusals=refusals_in(refusals),
        links=LINKS,
    )


def reactions(here: Standing) -> Mapping[str, CarryOut]:
    """What review owes, by reaction."""
    handling, cases = Handling(here.handler, here.vault), Cases(here.own, here.log, here.vault)
    witnesses = load(here.ground.keys / "witnesses.json")

    async def set_target(item: Item) -> None:
        await handling.by_agenda(c.SetTarget(), item)

    async def pass_target(item: Item) -> None:
        await handling.by_agenda(c.PassTarget(), item)

    async def escalate_correction(item: Item) -> None:
        await handling.by_agenda(c.EscalateCorrection(round=int(item.key)), item)

    async def commit_draw(item: Item) -> None:
        case = await cases.load(item.target.removeprefix("case:"))
        if case is None or case.state.ended:
            raise Stale
        pool, exclusions = await cases.pool(case)
        command = c.CommitDraw(pool=pool, exclusions=exclusions, witnesses=tuple(each.key for each in witnesses))
        await handling.by_agenda(command, item)

    async def make_draw(item: Item) -> None:
        signatures = [await signature(each, stream=item.stream, position=item.cause, link=item.cause_link) for each in witnesses]
        command = c.MakeDraw(round=int(item.key), commitment=item.cause_link.hex(), signatures=tuple(signatures))
        await handling.by_agenda(command, item)

    async def check_drawn(item: Item) -> None:
        case = await cases.load(item.target.removeprefix("case:"))
        if case is None or case.state.ended or not case.state.drawn:
            raise Stale
        who = await cases.drawn_in(case)
        if who is None:
            raise Later  # drawn from a pool of which review's rows do not know everybody yet
        if await cases.can_be_drawn(who):
            raise Stale
        await handling.by_agenda(c.TakeBack(round=case.state.round), item)

    async def take_back(item: Item) -> None:
        who = item.stream.removeprefix("staff:")
        if await cases.can_be_drawn(who):
            raise Stale  # came back since: what is drawn for them now stays
        await here.inbox.catch_up(PROJECTION)  # a case that was drawn before the departure is among the rows then
        for row in await cases.queue(who):
            # An id for each case: with the item's own, the first fact would close it for all.
            this = agenda_command("review", f"take_back {row['stream']}", item.cause_link, item.ordinal)
            with suppress(Stale):  # decided or withdrawn meanwhile
                await handling.by_agenda(c.TakeBack(round=row["round"]), replace(item, id=this, target=row["stream"]))
        if await here.inbox.shelves[PROJECTION].parked():
            raise Later  # a case of theirs may be among what could not be applied: looked for again when it is released

    return {
        "check_drawn": check_drawn,
        "take_back": take_back,
        "set_target": set_target,
        "pass_target": pass_target,
        "escalate_correction": escalate_correction,
        "commit_draw": commit_draw,
        "make_draw": make_draw,
    }


async def demonstrate(here: Standing) -> None:
    """Demonstration accounts and enrolled reviewers; asked again, it changes nothing."""
    staff = [
        Account(key, f"reviewer{key[-1]}", f"reviewer{key[-1]}-demo", "reviewer", f"بررسی‌کنندهٔ {key[-1]}")
        for key in DEMONSTRATION
    ]
    supervisor = Account("sup-1", "supervisor1", "supervisor1-demo", "supervisor", "ناظر")
    await here.accounts.put([*staff, supervisor], demonstration=True)
    for key, districts in DEMONSTRATION.items():
        if not await here.log.stream(f"staff:{key}", until_version=1):  # one who was retired since is not enrolled anew
            await enrol(here, key, c.EnrolReviewer(districts=districts, stages=()))


PROCESS = Process(
    service="review",
    room=ROOM,
    stand=stand,
    door=door,
    reactions=reactions,
    demonstrate=demonstrate,
    enrolment=ENROLMENT,
    refusals=refusals_in(refusals),
)

"""A service as processes: `migrate`, `serve`, `agenda`, `demonstration`; and what is said to it from a terminal."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import asyncpg
import uvicorn
from fastapi import FastAPI
from rich.progress import Progress

from caselog.away import AWAY
from caselog.read import LogReader
from chassis.agenda.worker import METRICS, CarryOut, Worker
from chassis.bus.access import Access
from chassis.bus.parts import RebuildRefused
from chassis.bus.readers import Reader
from chassis.bus.rebuild import Rebuild, Rebuilt
from chassis.enrolling.accounts import ACCOUNT, accounts
from chassis.enrolling.enrolment import Enrolment, said
from chassis.exit_codes import OUTDATED, ROWS_DIFFERED
from chassis.handling import APPENDED
from chassis.parked import parked_lines, release
from chassis.parked_words import ParkedWords
from chassis.refusal import NotBegun, Refusal, StillFaulty
from chassis.settings import Ground, Unset
from chassis.standing import ReadOnlyContainer, Standing, migrate_service
from chassis.telemetry import configure
from chassis.vault.keys import KeyFileMissing
from chassis.web.application import small_door
from chassis.web.language import OWN_LOCALE, Words
from chassis.web.oidc.relying_party import check, local_subject
from chassis.web.sessions import Sessions

USAGE: Final = (
    "usage: python -m services.%s migrate | serve | demonstration | rebuild [READER ...] | parked"
    " | release READER STREAM | revoke SUBJECT | subject SUB%s, or"
)
AGENDA: Final = " | agenda | release agenda ITEM"
"""What only a service can be asked that has an agenda."""
C = TypeVar("C", bound=ReadOnlyContainer)

GARBAGE: Final = 20_000
"""Objects that were made and not let go before Python looks for cycles: those of some twenty requests under way."""

OLD_ROWS: Final = (
    "{service} does not start: another version built the rows of {readers};"
    " `python -m services.{service} rebuild {readers}` builds them anew from the log\n"
)


@dataclass(frozen=True, kw_only=True)
class ReadOnlyServiceApp(Generic[C]):
    """What the app.py of a service offers to be run that reads the log and decides nothing."""

    service: str
    room: Path
    stand: Callable[[Ground], AbstractAsyncContextManager[C]]
    door: Callable[[Ground], FastAPI]
    demonstrate: Callable[[C], Awaitable[None]]
    enrolment: Enrolment[C]
    refusals: tuple[type[Refusal], ...] = ()
    """What its decisions refuse: why its work may be parked."""

    def check(self, ground: Ground) -> None:
        """Raise Unset or KeyFileMissing for what it could not do with: here, since a reason inside the application is lost."""
        check(ground, self.service)


@dataclass(frozen=True, kw_only=True)
class Process(ReadOnlyServiceApp[Standing]):
    """What the app.py of a service offers to be run that decides: it listens to the bus, and owes things."""

    reactions: Callable[[Standing], Mapping[str, CarryOut]]

    def check(self, ground: Ground) -> None:
        """The same, and its way to Kafka."""
        if ground.bus:
            Access.of(ground)
        super().check(ground)


def main(process: ReadOnlyServiceApp[C], arguments: list[str]) -> int:
    """Run one of the service's processes."""
    ground = Ground()
    match arguments:
        case ["migrate"]:
            asyncio.run(migrate_service(ground, process.service, process.room))
        case ["rebuild", *names]:
            return asyncio.run(_rebuild(process, ground, names))
        case ["parked"]:
            return asyncio.run(_parked(process, ground))
        case ["release", reader, what]:
            return asyncio.run(_release(process, ground, reader, what))
        case ["revoke", subject]:
            return asyncio.run(revoke(ground, process.service, subject))
        case ["subject", sub]:
            return say_subject(ground, sub)
        case ["account", *rest]:
            return asyncio.run(accounts(ground, process.service, process.enrolment, rest))
        case [word, *rest] if word in process.enrolment.commands:
            return asyncio.run(enrol(process, ground, word, rest))
        case ["demonstration"]:
            ground.refuse_demonstration("demonstration data")
            asyncio.run(_demonstrate(process, ground))
        case ["serve"]:
            try:
                process.check(ground)
                old = asyncio.run(_outdated(process, ground))
            except (Unset, KeyFileMissing) as missing:
                sys.stderr.write(f"{process.service} does not start: {missing}\n")
                return 2
            if old:
                sys.stderr.write(OLD_ROWS.format(service=process.service, readers=" ".join(old)))
                return OUTDATED
            configure(process.service, ground)
            serve(process.door(ground), ground)
        case ["agenda"] if isinstance(process, Process):
            configure(f"{process.service}-agenda", ground)
            serve(agenda_door(process, ground), ground)
        case _:
            first = USAGE % (process.service, AGENDA if isinstance(process, Process) else "")
            sys.stderr.write("\n  ".join((first, *ACCOUNT, *process.enrolment.usage)) + "\n")
            return 2
    return 0


def serve(app: FastAPI, ground: Ground) -> None:
    """Answer HTTP until SIGTERM."""
    # What stands now stays: looking for cycles in all that is imported, after each 700 objects, took a sixth of a filing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    uvicorn.run(
        app,
        host=ground.host,
        port=ground.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


async def _outdated(process: ReadOnlyServiceApp[C], ground: Ground) -> list[str]:
    """The readers whose rows are of another version; none where the database is away, since the start itself waits for it."""
    try:
        async with process.stand(ground) as here:
            return [name for name, shelf in here.inbox.shelves.items() if await shelf.outdated()]
    except (asyncpg.PostgresError, *AWAY):
        return []


async def _rebuild(process: ReadOnlyServiceApp[C], ground: Ground, names: list[str]) -> int:
    """Build the named readers (or all) anew, one after the other, with progress; 3 when rows were otherwise than the log says."""
    async with process.stand(ground) as here:
        known = list(here.inbox.shelves)
    for name in names:
        if name not in known:
            sys.stdout.write(f"{process.service} has no reader {name}; it has {', '.join(known)}\n")
            return 2
    differed = False
    for name in names or known:
        try:
            done = await _rebuild_one(process, ground, name)
        except RebuildRefused as refused:
            sys.stdout.write(f"{process.service} {name}: {refused}; nothing was changed\n")
            return 1
        differed = differed or any(done.differing.values())
        wrong = ", ".join(f"{rows} in {table}" for table, rows in done.differing.items() if rows)
        found = f"rows that differed and are right now: {wrong}" if wrong else "every row as it was"
        sys.stdout.write(f"{process.service} {name}: built anew from {done.facts} facts; {found}\n")
    return ROWS_DIFFERED if differed else 0


async def _rebuild_one(process: ReadOnlyServiceApp[C], ground: Ground, name: str) -> Rebuilt:
    @asynccontextmanager
    async def stand() -> AsyncIterator[tuple[Reader, LogReader]]:
        async with process.stand(ground) as here:
            yield here.inbox.shelves[name].reader, here.log

    with Progress(auto_refresh=False) as progress:  # no thread of its own: the parts are forked
        bar = progress.add_task(f"{process.service} {name}", total=None)

        def say(applied: int, of: int) -> None:
            progress.update(bar, completed=applied, total=of, refresh=True)

        return await Rebuild(stand, ground.as_owner(process.service), say).run()


async def _parked(process: ReadOnlyServiceApp[C], ground: Ground) -> int:
    async with process.stand(ground) as here:
        words = ParkedWords(Words([OWN_LOCALE, process.room / "locale"]), "en", process.refusals)
        lines = await parked_lines(here.inbox, here.own, words)
    sys.stdout.write("\n".join(f"{process.service} {line}" for line in lines or ["nothing is parked"]) + "\n")
    return 1 if lines else 0


async def _release(process: ReadOnlyServiceApp[C], ground: Ground, reader: str, what: str) -> int:
    async with process.stand(ground) as here:
        try:
            released = await release(here.inbox, here.own, reader, what)
        except (StillFaulty, NotBegun) as refusal:
            sys.stdout.write(refusal.default_text() + "\n")
            return 1
    sys.stdout.write("released\n" if released else "nothing of that name is parked\n")
    return 0 if released else 1


async def revoke(ground: Ground, service: str, subject: str) -> int:
    """End every session of `subject` at this service at once; 1 when there was none."""
    async with asyncpg.create_pool(**ground.as_service(service, service), min_size=1, max_size=1) as own:
        ended = await Sessions(own).revoke(subject)
    sys.stdout.write(f"{service} sessions of {subject} that were ended: {ended}\n")
    return 0 if ended else 1


def say_subject(ground: Ground, sub: str) -> int:
    """Print what staff with this `sub` of the issuer is called here, as an enrolment or `revoke` wants it."""
    try:
        sys.stdout.write(local_subject(ground, sub) + "\n")
    except (Unset, KeyFileMissing) as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    return 0


async def enrol(process: ReadOnlyServiceApp[C], ground: Ground, word: str, arguments: list[str]) -> int:
    """Carry out a desk's own command; the exit code: 0 done or so already, 1 refused, 2 not understood."""

    async def done() -> str:
        async with process.stand(ground) as here:
            return await process.enrolment.commands[word](here, arguments)

    return await said(process.service, done)


async def _demonstrate(process: ReadOnlyServiceApp[C], ground: Ground) -> None:
    async with process.stand(ground) as here:
        await process.demonstrate(here)


def agenda_door(process: Process, ground: Ground) -> FastAPI:
    """The agenda worker of a service behind /health and /ready."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with process.stand(ground) as here:
            worker = Worker(
                own=here.own,
                log=here.log,
                checkpoints=here.inbox.shelves["agenda"].checkpoints,
                carry_out=process.reactions(here),
            )
            app.state.worker, app.state.here = worker, here
            tasks = [asyncio.create_task(worker.run(), name="agenda"), asyncio.create_task(worker.watch(), name="agenda-watch")]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(app: FastAPI) -> dict[str, bool]:
        return {"gate": app.state.worker.state.gate_passed, **await app.state.here.ready()}

    return small_door(process="agenda", lifespan=lifespan, ready=ready, metrics=(*METRICS, APPENDED))

"""A service as processes: `migrate`, `serve`, `agenda`, `demonstration`; and what is said to it from a terminal.

`serve` carries out the agenda too, unless PARVANDEH_AGENDA_APART names the service: then `agenda` does, in another process.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncpg
import uvicorn
from fastapi import FastAPI
from rich.progress import Progress

from caselog.db.errors import TRANSIENT
from caselog.read import LogReader
from chassis.accounts.cli import ACCOUNT, accounts
from chassis.accounts.oidc.relying_party import local_subject
from chassis.accounts.registration import run_reporting
from chassis.accounts.sessions import Sessions
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.rebuild import Rebuild, Rebuilt
from chassis.eventing.projections.rebuild_workers import RebuildRefused
from chassis.exit_codes import OUTDATED, ROWS_DIFFERED
from chassis.privacy.key_files import KeyFileMissing
from chassis.refusal import NotBegun, StillFaulty
from chassis.runtime.container import ReadOnlyContainer, migrate_service
from chassis.runtime.parked import parked_lines, release
from chassis.runtime.service_app import Service, ServiceApp
from chassis.settings import Settings, Unset
from chassis.telemetry import configure
from chassis.web.i18n import OWN_LOCALE, Translations
from chassis.web.parked_work import ParkedWork

USAGE: Final = (
    "usage: python -m services.%s migrate | serve | demonstration | rebuild [READER ...] | parked"
    " | release READER STREAM | revoke SUBJECT | subject SUB%s, or"
)
AGENDA: Final = " | agenda | release agenda ITEM"
"""What only a service can be asked that has an agenda."""
K = TypeVar("K", bound=ReadOnlyContainer)

GARBAGE: Final = 20_000
"""Objects that were made and not let go before Python looks for cycles: those of some twenty requests under way."""

OLD_ROWS: Final = (
    "{service} does not start: another version built the rows of {readers};"
    " `python -m services.{service} rebuild {readers}` builds them anew from the log\n"
)


def main(process: Service[K, Any], arguments: list[str]) -> int:
    """Run one of the service's processes."""
    settings = Settings()
    match arguments:
        case ["migrate"]:
            asyncio.run(migrate_service(settings, process.service, process.package))
        case ["rebuild", *names]:
            return asyncio.run(_rebuild(process, settings, names))
        case ["parked"]:
            return asyncio.run(_parked(process, settings))
        case ["release", reader, what]:
            return asyncio.run(_release(process, settings, reader, what))
        case ["revoke", subject]:
            return asyncio.run(revoke(settings, process.service, subject))
        case ["subject", sub]:
            return print_subject(settings, sub)
        case ["account", *rest]:
            return asyncio.run(accounts(settings, process.service, process.registration, rest))
        case [word, *rest] if word in process.registration.commands:
            return asyncio.run(register(process, settings, word, rest))
        case ["demonstration"]:
            settings.refuse_demonstration("demonstration data")
            asyncio.run(_demonstrate(process, settings))
        case ["serve"]:
            try:
                process.check(settings)
                old = asyncio.run(_outdated(process, settings))
            except (Unset, KeyFileMissing) as missing:
                sys.stderr.write(f"{process.service} does not start: {missing}\n")
                return 2
            if old:
                sys.stderr.write(OLD_ROWS.format(service=process.service, readers=" ".join(old)))
                return OUTDATED
            configure(process.service, settings)
            serve(process.create_app(settings), settings)
        case ["agenda"] if isinstance(process, ServiceApp):
            configure(f"{process.service}-agenda", settings)
            serve(process.create_agenda_app(settings), settings)
        case _:
            first = USAGE % (process.service, AGENDA if isinstance(process, ServiceApp) else "")
            sys.stderr.write("\n  ".join((first, *ACCOUNT, *process.registration.usage)) + "\n")
            return 2
    return 0


def serve(app: FastAPI, settings: Settings) -> None:
    """Answer HTTP until SIGTERM."""
    # What stands now stays: looking for cycles in all that is imported, after each 700 objects, took a sixth of a filing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


async def _outdated(process: Service[K, Any], settings: Settings) -> list[str]:
    """The readers whose rows are of another version; none where the database is away, since the start itself waits for it."""
    try:
        async with process.open_container(settings) as container:
            return [name for name, store in container.inbox.stores.items() if await store.outdated()]
    except (asyncpg.PostgresError, *TRANSIENT):
        return []


async def _rebuild(process: Service[K, Any], settings: Settings, names: list[str]) -> int:
    """Build the named readers (or all) anew, one after the other, with progress; 3 when rows were otherwise than the log says."""
    async with process.open_container(settings) as container:
        known = list(container.inbox.stores)
    for name in names:
        if name not in known:
            sys.stdout.write(f"{process.service} has no reader {name}; it has {', '.join(known)}\n")
            return 2
    differed = False
    for name in names or known:
        try:
            done = await _rebuild_one(process, settings, name)
        except RebuildRefused as refused:
            sys.stdout.write(f"{process.service} {name}: {refused}; nothing was changed\n")
            return 1
        differed = differed or any(done.differing.values())
        wrong = ", ".join(f"{rows} in {table}" for table, rows in done.differing.items() if rows)
        found = f"rows that differed and are right now: {wrong}" if wrong else "every row as it was"
        sys.stdout.write(f"{process.service} {name}: built anew from {done.facts} facts; {found}\n")
    return ROWS_DIFFERED if differed else 0


async def _rebuild_one(process: Service[K, Any], settings: Settings, name: str) -> Rebuilt:
    @asynccontextmanager
    async def open_container() -> AsyncIterator[tuple[EventProcessor, LogReader]]:
        async with process.open_container(settings) as container:
            yield container.inbox.stores[name].processor, container.log

    with Progress(auto_refresh=False) as progress:  # no thread of its own: the parts are forked
        bar = progress.add_task(f"{process.service} {name}", total=None)

        def say(applied: int, of: int) -> None:
            progress.update(bar, completed=applied, total=of, refresh=True)

        return await Rebuild(open_container, settings.as_owner(process.service), say).run()


async def _parked(process: Service[K, Any], settings: Settings) -> int:
    async with process.open_container(settings) as container:
        words = ParkedWork(Translations([OWN_LOCALE, process.package / "locale"]), "en", process.refusals)
        lines = await parked_lines(container.inbox, container.db, words)
    sys.stdout.write("\n".join(f"{process.service} {line}" for line in lines or ["nothing is parked"]) + "\n")
    return 1 if lines else 0


async def _release(process: Service[K, Any], settings: Settings, reader: str, what: str) -> int:
    async with process.open_container(settings) as container:
        try:
            released = await release(container.inbox, container.db, reader, what)
        except (StillFaulty, NotBegun) as refusal:
            sys.stdout.write(refusal.default_text() + "\n")
            return 1
    sys.stdout.write("released\n" if released else "nothing of that name is parked\n")
    return 0 if released else 1


async def revoke(settings: Settings, service: str, subject: str) -> int:
    """End every session of `subject` at this service at once; 1 when there was none."""
    async with asyncpg.create_pool(**settings.as_service(service, service), min_size=1, max_size=1) as db:
        ended = await Sessions(db).revoke(subject)
    sys.stdout.write(f"{service} sessions of {subject} that were ended: {ended}\n")
    return 0 if ended else 1


def print_subject(settings: Settings, sub: str) -> int:
    """Print what staff with this `sub` of the issuer is called here, as an enrolment or `revoke` wants it."""
    try:
        sys.stdout.write(local_subject(settings, sub) + "\n")
    except (Unset, KeyFileMissing) as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    return 0


async def register(process: Service[K, Any], settings: Settings, word: str, arguments: list[str]) -> int:
    """Carry out a desk's own command; the exit code: 0 done or so already, 1 refused, 2 not understood."""

    async def done() -> str:
        async with process.open_container(settings) as container:
            return await process.registration.commands[word](container, arguments)

    return await run_reporting(process.service, done)


async def _demonstrate(process: Service[K, Any], settings: Settings) -> None:
    async with process.open_container(settings) as container:
        await process.demonstrate(container)

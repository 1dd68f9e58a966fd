"""A service's processes and its commands on a terminal.

`serve` carries out the agenda too, unless PARVANDEH_AGENDA_APART names the service: then `agenda` does, in another process.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import asyncpg
import typer
import uvicorn
from fastapi import FastAPI
from rich.progress import Progress

from caselog.db.errors import CONNECTION_LOST, TRANSIENT
from caselog.read import LogReader
from chassis.accounts.cli import ACCOUNT
from chassis.accounts.oidc.relying_party import local_subject
from chassis.accounts.registration import Desk
from chassis.accounts.sessions import Sessions
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.rebuild import Rebuild, Rebuilt
from chassis.eventing.projections.rebuild_workers import RebuildRefused
from chassis.exit_codes import OUTDATED, ROWS_DIFFERED
from chassis.privacy.key_files import KeyFileMissing
from chassis.refusal import NotBegun, StillFaulty
from chassis.runtime.container import ReadOnlyContainer, migrate_service
from chassis.runtime.service_app import Service, ServiceApp
from chassis.settings import DemonstrationRefused, Settings, Unset
from chassis.telemetry import configure
from chassis.web.i18n import OWN_LOCALE, Translations
from chassis.web.parked_work import ParkedWork, parked_lines, release
from schemas.command_line import CommandLine, command_line, run

K = TypeVar("K", bound=ReadOnlyContainer)
NOT_REACHED: Final = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
"""What a server raises when it refuses a login."""

GARBAGE: Final = 20_000
"""Objects that were made and not let go before Python looks for cycles: those of some twenty requests under way."""

OLD_ROWS: Final = (
    "{service} does not start: another version built the rows of {readers};"
    " `python -m services.{service} rebuild {readers}` rebuilds them from the log\n"
)


@dataclass(frozen=True, kw_only=True)
class Terminal(Desk[K]):
    """What a command finds in `context.obj`: the service it is addressed to."""

    process: Service[K, Any]


def main(process: Service[K, Any], arguments: Sequence[str]) -> int:
    """The exit code of one command."""
    return run_command(process, arguments, Settings.from_environment)


def run_command(process: Service[K, Any], arguments: Sequence[str], read_settings: Callable[[], Settings]) -> int:
    """The same, under other settings than those of the environment."""
    terminal = Terminal(
        service=process.service,
        registration=process.registration,
        open_container=process.open_container,
        read_settings=read_settings,
        process=process,
    )
    try:
        return run(commands_of(process), f"python -m services.{process.service}", arguments, terminal)
    except (Unset, KeyFileMissing) as missing:
        sys.stderr.write(f"{process.service}: {missing}\n")
        return 2
    except DemonstrationRefused as refused:
        sys.stderr.write(f"{process.service}: {refused}\n")
    except (*NOT_REACHED, *CONNECTION_LOST) as error:
        told = f"the database cannot be reached ({type(error).__name__}): see PARVANDEH_DATABASE_URL and the passwords"
        sys.stderr.write(f"{process.service}: {told}\n")
    return 1


def commands_of(process: Service[K, Any]) -> CommandLine:
    """The commands of a service: those of every service, its agenda where it has one, and its desk's own."""
    app = command_line(f"The service {process.service}: its processes, its rows and the staff of its desk.")
    for name, command in COMMANDS.items():
        app.command(name)(command)
    if isinstance(process, ServiceApp):
        app.command("agenda")(serve_agenda)
    app.add_typer(ACCOUNT, name="account")
    for word, own in process.registration.commands.items():
        app.add_typer(own, name=word)
    return app


async def migrate(context: typer.Context) -> None:
    """Create or migrate the tables of the service (as the owner: PARVANDEH_OWNER_PASSWORD)."""
    at: Terminal[Any] = context.obj
    await migrate_service(at.settings, at.service, at.process.package)


def serve_pages(context: typer.Context) -> int:
    """Answer HTTP until SIGTERM.

    Exit code 2: a setting or a key is missing. 4: another version built its rows; `rebuild` builds them anew.
    """
    at: Terminal[Any] = context.obj
    try:
        at.process.check(at.settings)
        old = asyncio.run(_outdated(at.process, at.settings))
    except (Unset, KeyFileMissing) as missing:
        sys.stderr.write(f"{at.service} does not start: {missing}\n")
        return 2
    if old:
        sys.stderr.write(OLD_ROWS.format(service=at.service, readers=" ".join(old)))
        return OUTDATED
    configure(at.service, at.settings)
    serve(at.process.create_app(at.settings), at.settings)
    return 0


def serve_agenda(context: typer.Context) -> None:
    """Run the agenda until SIGTERM."""
    at: Terminal[Any] = context.obj
    if isinstance(at.process, ServiceApp):  # the command is there for no other
        configure(f"{at.service}-agenda", at.settings)
        serve(at.process.create_agenda_app(at.settings), at.settings)


async def demonstration(context: typer.Context) -> None:
    """Load the demonstration accounts and data, where the settings allow a demonstration."""
    at: Terminal[Any] = context.obj
    at.settings.refuse_demonstration("demonstration data")
    async with at.process.open_container(at.settings) as container:
        await at.process.demonstrate(container)


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
    """The processors whose rows have another version; none while the database is away, since the start itself waits for it."""
    try:
        async with process.open_container(settings) as container:
            return [name for name, store in container.inbox.stores.items() if await store.outdated()]
    except (asyncpg.PostgresError, *TRANSIENT):
        return []


async def rebuild(
    context: typer.Context,
    readers: Annotated[list[str] | None, typer.Argument(metavar="[READER]...", help="All when none is named.")] = None,
) -> int:
    """Rebuild rows from the log while the service keeps running.

    Exit code 1: refused, and nothing was changed. 3: done, and some rows differed from the log.
    """
    at: Terminal[Any] = context.obj
    process, settings, names = at.process, at.settings, readers or []
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
        found = f"rows that differed and are now correct: {wrong}" if wrong else "no row differed"
        sys.stdout.write(f"{process.service} {name}: rebuilt from {done.facts} facts; {found}\n")
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


async def parked(context: typer.Context) -> int:
    """List what could not be applied or carried out, why, and how to release it.

    Exit code 1: there is something.
    """
    at: Terminal[Any] = context.obj
    async with at.process.open_container(at.settings) as container:
        words = ParkedWork(Translations([OWN_LOCALE, at.process.package / "locale"]), "en", at.process.refusals)
        lines = await parked_lines(container.inbox, container.db, words)
    sys.stdout.write("\n".join(f"{at.service} {line}" for line in lines or ["nothing is parked"]) + "\n")
    return 1 if lines else 0


async def release_parked(
    context: typer.Context,
    reader: Annotated[str, typer.Argument(metavar="READER", help="As `parked` names it; `agenda` for a task.")],
    what: Annotated[str, typer.Argument(metavar="STREAM|ITEM", help="As `parked` names it.")],
) -> int:
    """Release what was parked.

    Exit code 1: it cannot be applied yet, or nothing with that name is parked.
    """
    at: Terminal[Any] = context.obj
    async with at.process.open_container(at.settings) as container:
        try:
            released = await release(container.inbox, container.db, reader, what)
        except (StillFaulty, NotBegun) as refusal:
            sys.stdout.write(refusal.default_text() + "\n")
            return 1
    sys.stdout.write("released\n" if released else "nothing with that name is parked\n")
    return 0 if released else 1


async def revoke_sessions(
    context: typer.Context, subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The name of the account.")]
) -> int:
    """End all sessions of a person at this desk at once.

    Exit code 1: there was none.
    """
    at: Terminal[Any] = context.obj
    return await revoke(at.settings, at.service, subject)


def subject_of_issuer(
    context: typer.Context, sub: Annotated[str, typer.Argument(metavar="SUB", help="The `sub` of the issuer.")]
) -> int:
    """Print the subject of a member of staff who signs in by OpenID Connect, as `revoke` and other commands take it."""
    at: Terminal[Any] = context.obj
    return print_subject(at.settings, sub)


async def revoke(settings: Settings, service: str, subject: str) -> int:
    """End all sessions of `subject` at this service at once; 1 if there were none."""
    async with asyncpg.create_pool(**settings.as_service(service, service), min_size=1, max_size=1) as db:
        ended = await Sessions(db).revoke(subject)
    sys.stdout.write(f"{service} sessions of {subject} ended: {ended}\n")
    return 0 if ended else 1


def print_subject(settings: Settings, sub: str) -> int:
    """Print the subject of the member of staff with this `sub` of the issuer, as `revoke` and enrolment take it."""
    try:
        sys.stdout.write(local_subject(settings, sub) + "\n")
    except (Unset, KeyFileMissing) as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    return 0


COMMANDS: Final[Mapping[str, Callable[..., Any]]] = {
    "migrate": migrate,
    "serve": serve_pages,
    "demonstration": demonstration,
    "rebuild": rebuild,
    "parked": parked,
    "release": release_parked,
    "revoke": revoke_sessions,
    "subject": subject_of_issuer,
}
"""The commands of every service."""

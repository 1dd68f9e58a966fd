"""What a service stands on: its pools, the log, and where it decides the vault and the handler. Built here, closed in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import asyncpg

from caselog.append import Appender
from caselog.db.migrate import migrate
from caselog.db.pool import answers, create_pool
from caselog.read import LogReader
from chassis.accounts.accounts import Accounts
from chassis.accounts.sessions import SQL as WEB_SQL
from chassis.accounts.sessions import Sessions
from chassis.eventing.agenda.processor import MIGRATIONS as AGENDA
from chassis.eventing.agenda.worker import overview
from chassis.eventing.commands.decider import Decider
from chassis.eventing.commands.handler import Command, CommandHandler
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.relay import MIGRATIONS as RELAY
from chassis.privacy.documents.staging import Staging, staging
from chassis.privacy.documents.store import DocumentStore
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from chassis.settings import Settings
from chassis.web.probes import AgendaStatus, ReaderStatus, Status

D = TypeVar("D", bound=Command)
S = TypeVar("S")
INBOX: Final = RELAY.parent / "inbox"
WEB: Final = WEB_SQL.parent / "migrations"


@dataclass(frozen=True)
class ReadOnlyContainer:
    """The adapters of one process of a service that reads the log and writes its own rows only.

    There is nothing here that appends, opens sealed data or reaches papers: what such a service must not do, it cannot say.
    """

    settings: Settings
    service: str
    db: asyncpg.Pool
    log: LogReader
    inbox: Inbox
    sessions: Sessions
    accounts: Accounts

    async def status(self) -> Status:
        """What somebody who watches over this service wants to know at a glance: numbers only, no case and no person."""
        return Status(readers=await self._readers())

    async def ready(self) -> dict[str, bool]:
        """What this process needs, and whether it is there."""
        database, log = await asyncio.gather(answers(self.db.fetchval("SELECT 1")), answers(self.log.heads()))
        return {"database": database, "log": log}

    async def _readers(self) -> tuple[ReaderStatus, ...]:
        behind, parked = await self.inbox.behind(), await self.inbox.parked()
        return tuple(
            [
                ReaderStatus(
                    reader=name,
                    behind=sum(shards.values()),
                    halted=sum(each.halted is not None for each in (await self.inbox.stores[name].checkpoints()).values()),
                    parked=sum(reader == name for reader, *_ in parked),
                    stopped=name in self.inbox.stopped,
                    share=self.inbox.share(name),
                )
                for name, shards in behind.items()
            ]
        )


@dataclass(frozen=True)
class Container(ReadOnlyContainer):
    """The adapters of one process of a service that decides: it appends, opens what is sealed to it, and has an agenda."""

    vault: Vault
    document_store: DocumentStore
    appender: Appender
    service_key: bytes

    def handler(self, decider: Decider[D, S]) -> CommandHandler[D, S]:
        """How this process carries out the commands of a decider."""
        return CommandHandler(
            self.service,
            decider,
            appender=self.appender,
            reader=self.log,
            vault=self.vault,
            service_key=self.service_key,
            working_time=self.settings.working_time,
        )

    def staging(self, case: str) -> AbstractAsyncContextManager[Staging]:
        """Papers on their way into the log, for one command to one case."""
        return staging(self.document_store, self.log, case)

    async def status(self) -> Status:
        """The same, with the agenda."""
        figures = await overview(self.db)
        agenda = AgendaStatus(
            open=figures["open"],
            due=figures["due"],
            parked=figures["parked"],
            trying=figures["trying"],
            oldest=float(figures["oldest_seconds"]),
        )
        return Status(readers=await self._readers(), agenda=agenda)


@asynccontextmanager
async def open_read_only_container(
    settings: Settings, service: str, processors: Callable[[VaultKeys], Sequence[EventProcessor]]
) -> AsyncIterator[ReadOnlyContainer]:
    """Open what `service` needs that reads the log alone, without the bus; close it in reverse order.

    `processors` are given the key files of the process, and no vault: it has no role there.
    """
    async with (
        create_pool(settings.as_service(service, service), min_size=1, max_size=4) as db,
        create_pool(settings.as_reader(service), min_size=1, max_size=4) as log_pool,
    ):
        log, sessions = LogReader(log_pool), Sessions(db)
        yield ReadOnlyContainer(
            settings=settings,
            service=service,
            db=db,
            log=log,
            inbox=Inbox(processors(VaultKeys(settings.keys)), db=db, log=log, bus=False),
            sessions=sessions,
            accounts=Accounts(db, sessions),
        )


@asynccontextmanager
async def open_container(
    settings: Settings, service: str, processors: Callable[[Vault], Sequence[EventProcessor]]
) -> AsyncIterator[Container]:
    """Open what `service` needs; close it in reverse order."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(create_pool(settings.as_service(service, service), min_size=1, max_size=8))
        log_pool = await stack.enter_async_context(create_pool(settings.as_reader(service), min_size=1, max_size=4))
        vault_pool = await stack.enter_async_context(create_pool(settings.as_service(service, "vault"), min_size=1, max_size=4))

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(**settings.as_service(service, "caselog"))

        appender = await stack.enter_async_context(Appender.running(connect))
        keys = VaultKeys(settings.keys)
        log, vault = LogReader(log_pool), Vault(vault_pool, keys)
        sessions = Sessions(db)
        yield Container(
            settings=settings,
            service=service,
            db=db,
            log=log,
            vault=vault,
            appender=appender,
            service_key=keys.get("service"),
            inbox=Inbox(processors(vault), db=db, log=log, bus=settings.bus, refill=settings.refill),
            document_store=DocumentStore(settings.storage, vault),
            sessions=sessions,
            accounts=Accounts(db, sessions),
        )


async def migrate_service(settings: Settings, service: str, package: Path) -> None:
    """Migrate the database of `service`: the chassis' tables, then its own."""
    connection = await asyncpg.connect(**settings.as_owner(service))
    try:
        for name, directory in (("web", WEB), ("inbox", INBOX), ("agenda", AGENDA), (service, package / "migrations")):
            await migrate(connection, name, directory)
    finally:
        await connection.close()

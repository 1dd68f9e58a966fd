"""What a service stands on: its pools, the log, and where it decides the vault and the handler. Built here, closed in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from caselog.append import Appender
from caselog.connections import answers, pool
from caselog.migrations import migrate
from caselog.read import LogReader
from chassis.agenda.reader import MIGRATIONS as AGENDA
from chassis.agenda.worker import overview
from chassis.blobs import Blobs
from chassis.bus.inbox import Inbox
from chassis.bus.readers import Reader
from chassis.bus.relay import MIGRATIONS as RELAY
from chassis.handling import Handler
from chassis.settings import Ground
from chassis.staging import Staging, staging
from chassis.vault.keys import VaultKeys
from chassis.vault.vault import Vault
from chassis.web.accounts import Accounts
from chassis.web.sessions import SQL as WEB_SQL
from chassis.web.sessions import Sessions
from chassis.web.watching import AgendaStatus, ReaderStatus, Status

INBOX: Final = RELAY.parent / "inbox"
WEB: Final = WEB_SQL.parent / "migrations"


@dataclass(frozen=True)
class ReadOnlyContainer:
    """The adapters of one process of a service that reads the log and writes its own rows only.

    There is nothing here that appends, opens sealed data or reaches papers: what such a service must not do, it cannot say.
    """

    ground: Ground
    service: str
    own: asyncpg.Pool
    log: LogReader
    inbox: Inbox
    sessions: Sessions
    accounts: Accounts

    async def status(self) -> Status:
        """What somebody who watches over this service wants to know at a glance: numbers only, no case and no person."""
        return Status(readers=await self._readers())

    async def ready(self) -> dict[str, bool]:
        """What this process needs, and whether it is there."""
        database, log = await asyncio.gather(answers(self.own.fetchval("SELECT 1")), answers(self.log.heads()))
        return {"database": database, "log": log}

    async def _readers(self) -> tuple[ReaderStatus, ...]:
        behind, parked = await self.inbox.behind(), await self.inbox.parked()
        return tuple(
            [
                ReaderStatus(
                    reader=name,
                    behind=sum(shards.values()),
                    halted=sum(each.halted is not None for each in (await self.inbox.shelves[name].checkpoints()).values()),
                    parked=sum(reader == name for reader, *_ in parked),
                    stopped=name in self.inbox.stopped,
                    share=self.inbox.share(name),
                )
                for name, shards in behind.items()
            ]
        )


@dataclass(frozen=True)
class Standing(ReadOnlyContainer):
    """The adapters of one process of a service that decides: it appends, opens what is sealed to it, and has an agenda."""

    vault: Vault
    handler: Handler
    blobs: Blobs

    def staging(self, case: str) -> AbstractAsyncContextManager[Staging]:
        """Papers on their way into the log, for one command to one case."""
        return staging(self.blobs, self.log, case)

    async def status(self) -> Status:
        """The same, with the agenda."""
        owed = await overview(self.own)
        agenda = AgendaStatus(
            open=owed["open"],
            due=owed["due"],
            parked=owed["parked"],
            trying=owed["trying"],
            oldest=float(owed["oldest_seconds"]),
        )
        return Status(readers=await self._readers(), agenda=agenda)


@asynccontextmanager
async def read_only(
    ground: Ground, service: str, readers: Callable[[VaultKeys], Sequence[Reader]]
) -> AsyncIterator[ReadOnlyContainer]:
    """Open what `service` needs that reads the log alone, without the bus; close it in reverse order.

    `readers` are given the key files of the process, and no vault: it has no role there.
    """
    async with (
        pool(ground.as_service(service, service), least=1, most=4) as own,
        pool(ground.as_reader(service), least=1, most=4) as log_pool,
    ):
        log, sessions = LogReader(log_pool), Sessions(own)
        yield ReadOnlyContainer(
            ground=ground,
            service=service,
            own=own,
            log=log,
            inbox=Inbox(readers(VaultKeys(ground.keys)), own=own, log=log, bus=False),
            sessions=sessions,
            accounts=Accounts(own, sessions),
        )


@asynccontextmanager
async def standing(ground: Ground, service: str, readers: Callable[[Vault], Sequence[Reader]]) -> AsyncIterator[Standing]:
    """Open what `service` needs; close it in reverse order."""
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(pool(ground.as_service(service, service), least=1, most=8))
        log_pool = await stack.enter_async_context(pool(ground.as_reader(service), least=1, most=4))
        vault_pool = await stack.enter_async_context(pool(ground.as_service(service, "vault"), least=1, most=4))

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(**ground.as_service(service, "caselog"))

        appender = await stack.enter_async_context(Appender.running(connect))
        keys = VaultKeys(ground.keys)
        log, vault = LogReader(log_pool), Vault(vault_pool, keys)
        sessions = Sessions(own)
        yield Standing(
            ground=ground,
            service=service,
            own=own,
            log=log,
            vault=vault,
            handler=Handler(
                appender=appender, reader=log, vault=vault, service_key=keys.get("service"), working_time=ground.working_time
            ),
            inbox=Inbox(readers(vault), own=own, log=log, bus=ground.bus, refill=ground.refill),
            blobs=Blobs(ground.storage, vault),
            sessions=sessions,
            accounts=Accounts(own, sessions),
        )


async def migrate_service(ground: Ground, service: str, room: Path) -> None:
    """Migrate the database of `service`: the chassis' tables, then its own."""
    connection = await asyncpg.connect(**ground.as_owner(service))
    try:
        for name, directory in (("web", WEB), ("inbox", INBOX), ("agenda", AGENDA), (service, room / "migrations")):
            await migrate(connection, name, directory)
    finally:
        await connection.close()

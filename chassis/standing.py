"""What a service stands on: its pools, the log, the vault, the handler. Built in one place, closed in order."""

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
class Standing:
    """The adapters of one process of one service."""

    ground: Ground
    service: str
    own: asyncpg.Pool
    log: LogReader
    vault: Vault
    handler: Handler
    inbox: Inbox
    blobs: Blobs
    sessions: Sessions
    accounts: Accounts

    def staging(self, case: str) -> AbstractAsyncContextManager[Staging]:
        """Papers on their way into the log, for one command to one case."""
        return staging(self.blobs, self.log, case)

    async def status(self) -> Status:
        """What somebody who watches over this service wants to know at a glance: numbers only, no case and no person."""
        behind, parked = await self.inbox.behind(), await self.inbox.parked()
        owed = await overview(self.own)
        readers = [
            ReaderStatus(
                reader=name,
                behind=sum(shards.values()),
                halted=sum(each.halted is not None for each in (await self.inbox.shelves[name].checkpoints()).values()),
                parked=sum(reader == name for reader, *_ in parked),
                stopped=name in self.inbox.stopped,
                share=self.inbox.shares[name].value(),
            )
            for name, shards in behind.items()
        ]
        agenda = AgendaStatus(
            open=owed["open"],
            due=owed["due"],
            parked=owed["parked"],
            trying=owed["trying"],
            oldest=float(owed["oldest_seconds"]),
        )
        return Status(readers=tuple(readers), agenda=agenda)

    async def ready(self) -> dict[str, bool]:
        """What this process needs, and whether it is there."""
        database, log = await asyncio.gather(answers(self.own.fetchval("SELECT 1")), answers(self.log.heads()))
        # A bus that is away is no reason to shut the door: the log repairs.
        return {"database": database, "log": log, "bus": self.inbox.refused is None}


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

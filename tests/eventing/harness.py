"""A service in miniature for the tests of the bus: one reader that writes each fact as a row."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from caselog.append import WAITING_LIMIT, Appender
from caselog.db.migrate import migrate
from caselog.outcomes import Appended, AppendRequest, NewFact, Outcome
from caselog.read import LogReader
from chassis.eventing.kafka.connection import KafkaConnection
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import Apply, Batch, EventProcessor
from chassis.eventing.relay import MIGRATIONS as RELAY_MIGRATIONS
from chassis.eventing.relay import Relay
from schemas.facts import CODEC, encode
from schemas.facts.intake import CaseWithdrawn, PapersOpened
from tests.databases import Databases

INBOX_MIGRATIONS: Final = RELAY_MIGRATIONS.parent / "inbox"
POISON: Final = "poison"
UNENCODABLE: Final = "unencodable"
"""A value that the driver refuses to encode: an InterfaceError, as when the server is away."""


async def apply(connection: asyncpg.Connection, run: Batch) -> None:
    for fact, _ in run:
        if isinstance(fact, CaseWithdrawn) and fact.reason == POISON:
            raise ValueError("cannot be applied")
        if isinstance(fact, CaseWithdrawn) and fact.reason == UNENCODABLE:
            await connection.execute("INSERT INTO rows VALUES ($1, $2, $3, $4, $5)", "no number", None, None, None, None)
    await put(connection, run)


async def put(connection: asyncpg.Connection, run: Batch) -> None:
    """A row for each fact."""
    made = [(recorded.shard, recorded.seq, recorded.stream, recorded.link, recorded.body) for _, recorded in run]
    await connection.executemany("INSERT INTO rows VALUES ($1, $2, $3, $4, $5)", made)


async def prepare(databases: Databases) -> None:
    """The tables of the relay, of review's inbox, and the miniature's own."""
    for database, room, directory in (("relay", "relay", RELAY_MIGRATIONS), ("review", "inbox", INBOX_MIGRATIONS)):
        connection = await databases.connect(database, "owner")
        await migrate(connection, room, directory)
        if database == "review":
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS rows (shard int, seq bigint, stream text, link bytea, body bytea)"
            )
            await connection.execute("GRANT SELECT, INSERT ON rows TO review")
        await connection.close()


def facts(stream: str, numbers: range, *, expected: int | None = None, poison: str | bool = False) -> AppendRequest:
    """One command with a fact for each number."""
    reason = POISON if poison is True else poison
    made = [
        CaseWithdrawn(reason=reason) if reason else PapersOpened(what=(str(number),), reason="to_check_identity")
        for number in numbers
    ]
    tag = f"{stream}{numbers}{poison}".encode()
    return AppendRequest(
        stream=stream,
        expected=expected,
        command_id=hashlib.sha256(tag).digest(),
        request_hmac=bytes(32),
        actor="identity_clerk:a",
        cause=None,
        meta=b"{}",
        facts=[NewFact(fact.TYPE, fact.VERSION, encode(fact)) for fact in made],
    )


async def fill(appender: Appender, count: int, *, streams: int = 40, tag: str = "") -> None:
    """`count` facts over `streams` streams, several tasks at once."""
    gate = asyncio.Semaphore(WAITING_LIMIT // 2)

    async def one(number: int) -> Outcome:
        async with gate:
            return await appender.append(facts(f"case:{tag}{number % streams}", range(number, number + 1)))

    outcomes = await asyncio.gather(*(one(number) for number in range(count)))
    assert all(isinstance(outcome, Appended) for outcome in outcomes)


@asynccontextmanager
async def relaying(databases: Databases, connection: KafkaConnection) -> AsyncIterator[Relay]:
    async with (
        asyncpg.create_pool(**databases.where("caselog", "relay_reader"), min_size=1, max_size=2) as pool,
        asyncpg.create_pool(**databases.where("relay", "relay"), min_size=2, max_size=3) as db,
    ):
        relay = Relay(connection=connection, log=LogReader(pool), db=db)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def inbox_of(
    databases: Databases, *, bus: bool = True, refill: bool = True, applying: Apply = apply
) -> AsyncIterator[tuple[Inbox, asyncpg.Pool]]:
    async with (
        asyncpg.create_pool(**databases.where("caselog", "review_reader"), min_size=1, max_size=2) as pool,
        asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=4) as db,
    ):
        inbox = Inbox([EventProcessor("rows", 1, applying, codec=CODEC)], db=db, log=LogReader(pool), bus=bus, refill=refill)
        async with inbox.running():
            yield inbox, db


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Return when `condition` holds; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the condition lies in a database
            await asyncio.sleep(0.02)


async def rebuilt(databases: Databases) -> list[tuple[int, int, str, bytes, bytes]]:
    """The rows as a fresh reading of the whole log gives them."""
    async with databases.reader() as log:
        facts_ = [fact for shard in range(64) for fact in await log.shard(shard, 0, 100_000)]
    return [(fact.shard, fact.seq, fact.stream, fact.link, fact.body) for fact in facts_]


async def rows(db: asyncpg.Pool) -> list[tuple[int, int, str, bytes, bytes]]:
    return [tuple(row) for row in await db.fetch("SELECT shard, seq, stream, link, body FROM rows ORDER BY shard, seq")]

"""A projection built anew from the log beside the live one, compared at the same positions, and swapped in one transaction.

Live traffic goes on; nothing is sent, since processors only write rows, and a task probes the log before it sends. The
rows are built in a schema of their own: queries name no schema, so the search path decides which tables they meet. The shards
are built by as many processes as there are cores (chassis/eventing/projections/rebuild_workers.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import asyncpg

from caselog.db.queries import Queries
from caselog.read import LogReader
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.processors.store import ProcessorStore
from chassis.eventing.projections.rebuild_workers import (
    OpenProcessor,
    RebuildRefused,
    build_in_parallel,
    follow,
    schema_of,
    tables_beside,
)

SQL: Final = Path(__file__).with_name("rebuild.sql")
_LOCK: Final = 1347571287
"""The advisory lock that lets one rebuild of a service run at a time."""
WAITS: Final = (0.5, 0.5, 0.5, 1.5)
"""Seconds the swap waits for its tables, in turn: less than the second after which PostgreSQL looks for a deadlock, so that the
swap gives way and not a page; now and then more, since only that look sends an autovacuum away."""
PATIENCE_SECONDS: Final = 20.0
"""The live processor stands still while the swap waits for its tables, and is broken off after 30."""

Say = Callable[[int, int], None]
"""`say(applied, of)`: how far it is, in facts."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it: facts applied, and rows of the live tables that were otherwise than the log says."""

    facts: int
    differing: dict[str, int]


class Rebuild:
    """Builds one processor anew, as the owner of the service's database."""

    def __init__(self, open_processor: OpenProcessor, owner: dict[str, Any], say: Say = lambda _applied, _of: None) -> None:
        """`open_processor` opens the processor and the log: here, and once more in each process that builds a part.

        `owner`: asyncpg's connection arguments of the role that owns the tables.
        """
        self._open_processor, self._owner, self._say = open_processor, owner, say
        self._sql = Queries.load(SQL)

    async def run(self) -> Rebuilt:
        """Build, compare, swap. Broken off, it goes on where it was when it is run again. Raises RebuildRefused."""
        async with (
            self._open_processor() as (processor, log),
            tables_beside(self._owner, processor) as pool,
            asyncpg.create_pool(**self._owner, min_size=2, max_size=2) as db,
            db.acquire() as connection,
        ):
            return await self._run(connection, db, processor, log, ProcessorStore(processor, pool, traced=False))

    async def _run(
        self, connection: asyncpg.Connection, db: asyncpg.Pool, processor: EventProcessor, log: LogReader, store: ProcessorStore
    ) -> Rebuilt:
        if not await connection.fetchval(self._sql.claim, _LOCK):
            raise RebuildRefused("another rebuild of this service is running")
        await self._prepare(connection, processor)
        await store.begin(anew=True)
        goal = await self._goal(connection, processor, log)
        await build_in_parallel(self._open_processor, self._owner, store, goal, self._say)
        async with connection.transaction():
            # From here on the live processor waits; what it applied meanwhile is a moment's work.
            await connection.fetch(self._sql.hold, processor.name)
            goal = await self._goal(connection, processor, log)
            await follow(store, log, goal)
            differing = {table: await self._differing(connection, db, processor, table) for table in processor.tables}
            await self._take(connection, processor)
            await self._swap(connection, processor)
        return Rebuilt(sum(goal.values()), differing)

    async def _prepare(self, connection: asyncpg.Connection, processor: EventProcessor) -> None:
        """The tables beside the live ones; those of another version of the processor are of no use and go."""
        schema = schema_of(processor)
        found = await connection.fetchval(self._sql.has_schema, schema)
        other = f"SELECT 1 FROM {schema}.checkpoints WHERE version <> $1"  # noqa: S608 - a name of ours
        if found and await connection.fetchval(other, processor.version):
            await connection.execute(f"DROP SCHEMA {schema} CASCADE")
        async with connection.transaction():
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            for table in (*processor.tables, "checkpoints", "parked_streams"):
                await connection.execute(f"CREATE TABLE IF NOT EXISTS {schema}.{table} (LIKE public.{table} INCLUDING ALL)")

    async def _goal(self, connection: asyncpg.Connection, processor: EventProcessor, log: LogReader) -> dict[int, int]:
        """The positions of the live processor; of a processor that never lived, the log's heads."""
        rows = await connection.fetch(self._sql.positions, processor.name)
        if any(row["halted"] for row in rows):
            raise RebuildRefused("a shard is halted at a fork; that must be understood first")
        if rows:
            return {row["shard"]: row["seq"] for row in rows}
        return {shard: head.seq for shard, head in (await log.heads()).items()}

    async def _differing(self, connection: asyncpg.Connection, db: asyncpg.Pool, processor: EventProcessor, table: str) -> int:
        """How many rows stand in one table and not in the other; asked only where the digests of the two differ.

        The two digests are made at the same time: the live processor waits for them.
        """
        live, new = (f"SELECT {processor.tables[table]} FROM {schema}.{table}" for schema in ("public", schema_of(processor)))  # noqa: S608 - names of ours
        asked = [where.fetchrow(self._sql.digest.replace("$rows", rows)) for where, rows in ((connection, live), (db, new))]
        of_live, of_new = await asyncio.gather(*asked)
        if of_live == of_new:
            return 0
        rows = f"SELECT count(*) FROM (({live} EXCEPT ALL {new}) UNION ALL ({new} EXCEPT ALL {live})) d"  # noqa: S608 - names of ours
        return int(await connection.fetchval(rows))

    async def _take(self, connection: asyncpg.Connection, processor: EventProcessor) -> None:
        """Hold every table of the swap before one of them is changed. Raises RebuildRefused when others do not let go of them.

        One by one, on the way, they made two deadlocks: with a page that joins them in another order, and with an ANALYZE that
        waits for the transaction which gave rights on its table.
        """
        names = ", ".join(f"public.{table}, {schema_of(processor)}.{table}" for table in processor.tables)
        until = time.monotonic() + PATIENCE_SECONDS
        for seconds in cycle(WAITS):
            try:
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL lock_timeout = {round(seconds * 1000)}")
                    await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
                    await connection.execute("SET LOCAL lock_timeout = DEFAULT")
                    return
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                if time.monotonic() > until:
                    raise RebuildRefused("others hold its tables; nothing was swapped; run again, it goes on") from None

    async def _swap(self, connection: asyncpg.Connection, processor: EventProcessor) -> None:
        schema = schema_of(processor)
        if processor.carry_over:
            await connection.execute(f"SET LOCAL search_path = {schema}")
            await connection.execute(processor.carry_over)
            await connection.execute("SET LOCAL search_path = public")
        for table in processor.tables:
            await connection.execute(self._sql.copy_grants.replace("$schema", schema).replace("$table", table))
            await connection.execute(f"DROP TABLE public.{table}")
            await connection.execute(f"ALTER TABLE {schema}.{table} SET SCHEMA public")
        name, version = processor.name, processor.version
        for table in ("checkpoints", "parked_streams"):
            await connection.execute(f"DELETE FROM public.{table} WHERE reader = $1", name)  # noqa: S608 - a name of ours
            moved = f"INSERT INTO public.{table} SELECT * FROM {schema}.{table} WHERE reader = $1 AND version = $2"  # noqa: S608
            await connection.execute(moved, name, version)
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")

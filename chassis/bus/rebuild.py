"""A projection built anew from the log beside the live one, compared at the same positions, and swapped in one transaction.

Live traffic goes on; nothing is sent, since readers only write rows and what the agenda owes is probed before it is sent. The
rows are built in a schema of their own: queries name no schema, so the search path decides which tables they meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from caselog.queries import Queries
from caselog.read import LogReader
from chassis.bus.readers import Reader
from chassis.bus.shelf import ReaderStopped, Shelf

SQL: Final = Path(__file__).with_name("rebuild.sql")
SHARDS_AT_ONCE: Final = 4
PAGE: Final = 500
_LOCK: Final = 1347571287
"""The advisory lock that lets one rebuild of a service run at a time."""

Say = Callable[[int, int], None]
"""`say(applied, of)`: how far it is, in facts."""


class RebuildRefused(Exception):
    """The rebuild cannot go on; the text says why. Nothing was swapped."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it: facts applied, and rows of the live tables that were otherwise than the log says."""

    facts: int
    differing: dict[str, int]


class Rebuild:
    """Builds one reader anew, as the owner of the service's database."""

    def __init__(self, reader: Reader, owner: dict[str, Any], log: LogReader, say: Say = lambda _applied, _of: None) -> None:
        """`owner`: asyncpg's connection arguments of the role that owns the tables."""
        self._reader, self._owner, self._log, self._say = reader, owner, log, say
        self._sql = Queries.load(SQL)
        self._schema = f"rebuild_{reader.name}"

    async def run(self) -> Rebuilt:
        """Build, compare, swap. Broken off, it goes on where it was when it is run again. Raises RebuildRefused."""
        connection = await asyncpg.connect(**self._owner)
        try:
            if not await connection.fetchval(self._sql.claim, _LOCK):
                raise RebuildRefused("another rebuild of this service is running")
            await self._prepare(connection)
            settings = {"search_path": self._schema}
            async with asyncpg.create_pool(**self._owner, server_settings=settings, min_size=1, max_size=SHARDS_AT_ONCE) as pool:
                shelf = Shelf(self._reader, pool)
                await shelf.begin(anew=True)
                await self._follow(shelf, await self._goal(connection))
                async with connection.transaction():
                    # From here on the live reader waits; what it applied meanwhile is a moment's work.
                    await connection.fetch(self._sql.hold, self._reader.name)
                    goal = await self._goal(connection)
                    await self._follow(shelf, goal)
                    differing = {table: await self._differing(connection, table) for table in self._reader.tables}
                    await self._swap(connection)
        finally:
            await connection.close()
        return Rebuilt(sum(goal.values()), differing)

    async def _prepare(self, connection: asyncpg.Connection) -> None:
        """The tables beside the live ones; those of another version of the reader are of no use and go."""
        found = await connection.fetchval(self._sql.has_schema, self._schema)
        other = f"SELECT 1 FROM {self._schema}.checkpoints WHERE version <> $1"  # noqa: S608 - a name of ours
        if found and await connection.fetchval(other, self._reader.version):
            await connection.execute(f"DROP SCHEMA {self._schema} CASCADE")
        async with connection.transaction():
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
            for table in (*self._reader.tables, "checkpoints", "parked_streams"):
                await connection.execute(f"CREATE TABLE IF NOT EXISTS {self._schema}.{table} (LIKE public.{table} INCLUDING ALL)")

    async def _goal(self, connection: asyncpg.Connection) -> dict[int, int]:
        """The positions of the live reader; of a reader that never lived, the log's heads."""
        rows = await connection.fetch(self._sql.positions, self._reader.name)
        if any(row["halted"] for row in rows):
            raise RebuildRefused("a shard is halted at a fork; that must be understood first")
        if rows:
            return {row["shard"]: row["seq"] for row in rows}
        return {shard: head.seq for shard, head in (await self._log.heads()).items()}

    async def _follow(self, shelf: Shelf, goal: dict[int, int]) -> None:
        """Apply every shard up to `goal`, several shards at once."""
        at = {shard: checkpoint.seq for shard, checkpoint in (await shelf.checkpoints()).items()}
        gate = asyncio.Semaphore(SHARDS_AT_ONCE)

        async def one(shard: int) -> None:
            async with gate:
                while at[shard] < goal[shard]:
                    page = await self._log.shard(shard, at[shard], min(PAGE, goal[shard] - at[shard]))
                    try:
                        result = await shelf.apply(shard, page)
                    except ReaderStopped:
                        raise RebuildRefused("too many streams cannot be applied: that is a fault of this version") from None
                    if not result.applied:
                        raise RebuildRefused(f"the log does not go on after {shard}:{at[shard]}")
                    at[shard] = result.last_seq
                    self._say(sum(at.values()), sum(goal.values()))

        try:
            async with asyncio.TaskGroup() as group:
                for shard in goal:
                    group.create_task(one(shard))
        except* RebuildRefused as refused:
            raise refused.exceptions[0] from None  # every shard refuses for the same reason; one sentence tells it

    async def _differing(self, connection: asyncpg.Connection, table: str) -> int:
        columns = self._reader.tables[table]
        live, new = (f"SELECT {columns} FROM {schema}.{table}" for schema in ("public", self._schema))  # noqa: S608 - names of ours
        rows = f"SELECT count(*) FROM (({live} EXCEPT ALL {new}) UNION ALL ({new} EXCEPT ALL {live})) d"  # noqa: S608 - names of ours
        return int(await connection.fetchval(rows))

    async def _swap(self, connection: asyncpg.Connection) -> None:
        if self._reader.carry_over:
            await connection.execute(f"SET LOCAL search_path = {self._schema}")
            await connection.execute(self._reader.carry_over)
            await connection.execute("SET LOCAL search_path = public")
        for table in self._reader.tables:
            await connection.execute(self._sql.copy_grants.replace("$schema", self._schema).replace("$table", table))
            await connection.execute(f"DROP TABLE public.{table}")
            await connection.execute(f"ALTER TABLE {self._schema}.{table} SET SCHEMA public")
        name, version = self._reader.name, self._reader.version
        for table in ("checkpoints", "parked_streams"):
            await connection.execute(f"DELETE FROM public.{table} WHERE reader = $1", name)  # noqa: S608 - a name of ours
            moved = f"INSERT INTO public.{table} SELECT * FROM {self._schema}.{table} WHERE reader = $1 AND version = $2"  # noqa: S608
            await connection.execute(moved, name, version)
        await connection.execute(f"DROP SCHEMA {self._schema} CASCADE")

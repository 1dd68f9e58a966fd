"""Projections: the rows of one stream as dataclasses, folded in memory over a batch of facts, read and written in bulk.

A projection row is a fold of one stream (design.md section 4). What a fact does to a row is said once, in a service's
`project.py`; this module knows how rows come in and go out. One fact of the bus and ten thousand facts of a rebuild take the
same way: one SELECT a table for the streams that had rows before, the fold, and one write a table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, ClassVar, Final, TypeVar, cast

import asyncpg

from chassis.eventing.processors.processor import Batch, EventProcessor
from schemas.envelope import RecordedFact
from schemas.envelope.codec import FactCodec
from schemas.envelope.fact import Fact

COPY_FROM: Final = 50
"""From so many new rows on, COPY is faster than an INSERT for each, its own round trips included."""


class Row:
    """A row: a dataclass with a field for each column of its table, in any order."""

    __slots__ = ()
    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]
    """The primary key; its first column names the stream."""
    KIND: ClassVar[str] = ""
    """Empty: the first key column is the stream's whole name; else it is the id of a stream of this kind."""
    APPEND_ONLY: ClassVar[bool] = False
    """No fact changes such a row once it is there, so that none is ever read again."""


R = TypeVar("R", bound=Row)


class TablePlan:
    """The statements of one table. Names of tables and columns are ours, never a parameter."""

    def __init__(self, table: type[Any]) -> None:
        self.table = table
        self.columns: Final = tuple(field.name for field in fields(table))
        self.values: Final[Callable[[Row], tuple[object, ...]]] = attrgetter(*self.columns)
        self._rest = table.KEY[1:]
        self.first: Final = self.columns.index(table.KEY[0])
        """The place of the column that names the stream."""
        names, numbers = ", ".join(self.columns), ", ".join(f"${n}" for n in range(1, len(self.columns) + 1))
        changes = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in table.KEY)
        otherwise = "NOTHING" if table.APPEND_ONLY or not changes else f"UPDATE SET {changes}"
        self.select: Final = f"SELECT {names} FROM {table.TABLE} WHERE {table.KEY[0]} = ANY($1::text[])"  # noqa: S608
        self.put: Final = (
            f"INSERT INTO {table.TABLE} ({names}) VALUES ({numbers}) "  # noqa: S608
            f"ON CONFLICT ({', '.join(table.KEY)}) DO {otherwise}"
        )

    def row_key(self, row: Row) -> tuple[object, ...]:
        """Where `Rows` holds a row: its table, and what follows the stream in its key."""
        return (self.table, *[getattr(row, name) for name in self._rest])

    def stream(self, name: str) -> str:
        """The stream that the first key column names."""
        return f"{self.table.KIND}:{name}" if self.table.KIND else name

    def names(self, streams: Sequence[str]) -> list[str]:
        """What stands in the first key column for those of `streams` that this table can have rows of."""
        if not self.table.KIND:
            return list(streams)
        prefix = f"{self.table.KIND}:"
        return [stream.removeprefix(prefix) for stream in streams if stream.startswith(prefix)]


class Rows:
    """The rows of one stream, as `project` sees and changes them."""

    __slots__ = ("_plans", "dirty", "loaded", "rows")

    def __init__(self, plans: Mapping[type[Row], TablePlan]) -> None:
        self._plans = plans
        self.rows: dict[tuple[object, ...], Row] = {}
        self.loaded: set[tuple[object, ...]] = set()
        self.dirty: set[tuple[object, ...]] = set()

    def get(self, table: type[R], *key: object) -> R | None:
        """The row to change; `key` is what follows the stream in the primary key. None where no fact made one."""
        row_key = (table, *key)
        row = self.rows.get(row_key)
        if row is not None:
            self.dirty.add(row_key)
        return cast("R | None", row)

    def all(self, table: type[R]) -> list[R]:
        """Every row of the stream in a table, to change."""
        found = [row_key for row_key in self.rows if row_key[0] is table]
        self.dirty.update(found)
        return [cast("R", self.rows[row_key]) for row_key in found]

    def put(self, row: Row) -> None:
        """A row that begins here, also in the place of one that is there: facts that are read again double nothing."""
        row_key = self._plans[type(row)].row_key(row)
        self.rows[row_key] = row
        self.dirty.add(row_key)


Project = Callable[[Rows, Fact, RecordedFact], None]
"""What one fact does to the rows of its stream; pure, no rules."""
Prepare = Callable[[Batch], Awaitable[Project]]
"""What must be asked for a whole batch (of the vault, say) before its facts are folded; gives their `Project`."""


class Projection:
    """The tables of one processor, and the way of their rows in and out."""

    def __init__(self, *tables: type[Row]) -> None:
        self._plans = {table: TablePlan(table) for table in tables}
        self.tables: Final = {table.TABLE: "*" for table in tables}
        """As `Processor.tables` wants them."""

    def processor(self, name: str, version: int, project: Project, *, codec: FactCodec) -> EventProcessor:
        """The processor that keeps these tables by `project`. Raise `version` when the rows would come out otherwise."""

        async def apply(connection: asyncpg.Connection, run: Batch) -> None:
            await self.apply(connection, run, project)

        return EventProcessor(name, version, apply, self.tables, codec=codec)

    def prepared_processor(self, name: str, version: int, prepare: Prepare, *, codec: FactCodec) -> EventProcessor:
        """The same, where a batch is prepared before it is folded."""

        async def apply(connection: asyncpg.Connection, run: Batch) -> None:
            await self.apply(connection, run, await prepare(run))

        return EventProcessor(name, version, apply, self.tables, codec=codec)

    async def apply(self, connection: asyncpg.Connection, run: Batch, project: Project) -> None:
        """Fold a batch of facts (of any streams, each in order) into the rows, inside the caller's transaction."""
        streams = await self._load(connection, run)
        for fact, recorded in run:
            project(streams[recorded.stream], fact, recorded)
        await self._write(connection, streams.values())

    async def _load(self, connection: asyncpg.Connection, run: Batch) -> dict[str, Rows]:
        streams: dict[str, Rows] = {}
        had_rows: list[str] = []
        for _, recorded in run:
            if recorded.stream not in streams:
                streams[recorded.stream] = Rows(self._plans)
                if recorded.version > 1:
                    had_rows.append(recorded.stream)
        for plan in self._plans.values():
            if plan.table.APPEND_ONLY or not (names := plan.names(had_rows)):
                continue
            for found in await connection.fetch(plan.select, names):
                row = plan.table(*found)
                rows, row_key = streams[plan.stream(found[plan.first])], plan.row_key(row)
                rows.rows[row_key] = row
                rows.loaded.add(row_key)
        return streams

    async def _write(self, connection: asyncpg.Connection, streams: Iterable[Rows]) -> None:
        new: dict[type[Row], list[Row]] = {table: [] for table in self._plans}
        changed: dict[type[Row], list[Row]] = {table: [] for table in self._plans}
        for rows in streams:
            for row_key in rows.dirty:
                row = rows.rows[row_key]
                (changed if row_key in rows.loaded else new)[type(row)].append(row)
        for table, plan in self._plans.items():
            if len(new[table]) >= COPY_FROM and await self._copied(connection, plan, new[table]):
                new[table] = []
            if found := new[table] + changed[table]:
                await connection.executemany(plan.put, map(plan.values, found))

    async def _copied(self, connection: asyncpg.Connection, plan: TablePlan, rows: Sequence[Row]) -> bool:
        """Whether the rows were brought in by COPY; False where one of them stands there already: facts are read again."""
        try:
            async with connection.transaction():
                await connection.copy_records_to_table(plan.table.TABLE, columns=plan.columns, records=map(plan.values, rows))
        except asyncpg.UniqueViolationError:
            return False
        return True

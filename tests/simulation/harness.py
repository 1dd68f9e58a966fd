"""The harness in memory: the named statements of the product's .sql files, answered from dictionaries.

The product's inbox, stores, projections, agenda and log reader run on it as they are. That the answers are PostgreSQL's is shown
by test_harness.py, which asks both the same.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from caselog.chain import ZERO_LINK
from chassis.eventing.agenda.processor import SQL as AGENDA_SQL
from chassis.eventing.processors.store import SQL as INBOX_SQL
from chassis.eventing.projections.projection import Row, TablePlan
from tests.simulation.life import Life

LONG_AGO: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
"""Stands for -infinity."""
_UNMOVED: Final[list[dict[str, Any]]] = [
    {"shard": shard, "epoch": 1, "seq": 0, "hash": ZERO_LINK, "halted": None} for shard in range(64)
]
_NAME: Final = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class NotAnswered(BaseException):
    """The product asks something that the harness does not know: the harness must learn it."""


def names_of(path: Any, room: str) -> dict[str, str]:
    """Statement -> the name of the method that answers it."""
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    return {sql.strip(): f"{room}_{name}" for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


NAMES: Final = names_of(INBOX_SQL, "inbox") | names_of(AGENDA_SQL, "agenda")


class Record(tuple[Any, ...]):
    """A row of a result, by number and by name."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, **values: Any) -> Record:
        made = cls(values.values())
        made.names = tuple(values)
        return made

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)


class Database:
    """The database of one service: checkpoints, parked streams, the agenda, and the tables of its projections."""

    def __init__(self, now: Callable[[], datetime], tables: Iterable[type[Row]]) -> None:
        self._now = now
        self.plans = [TablePlan(table) for table in tables]
        self._plans = {text: (kind, plan) for plan in self.plans for kind, text in (("select", plan.select), ("put", plan.put))}
        self.checkpoints: dict[tuple[str, int], dict[str, Any]] = {}
        """By reader and shard; a row that no fact has moved yet is not held."""
        self.parked: dict[tuple[str, str], tuple[int, int, str, datetime]] = {}
        self.agenda: dict[bytes, dict[str, Any]] = {}
        self.tables: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = {plan.table.TABLE: {} for plan in self.plans}
        self.readers: set[tuple[str, int]] = set()

    def copy(self) -> Any:
        """What a rollback goes back to."""
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        return dict(self.checkpoints), dict(self.parked), dict(self.agenda), tables, set(self.readers)

    def restore(self, copy: Any) -> None:
        """Roll back."""
        self.checkpoints, self.parked, self.agenda, self.tables, self.readers = copy

    def key(self, plan: TablePlan, values: Sequence[Any]) -> tuple[Any, ...]:
        """The primary key of a row."""
        return tuple(values[plan.columns.index(name)] for name in plan.table.KEY)

    def answer(self, statement: str, values: Sequence[Any]) -> Any:
        """Rows of a query, or the count of rows that a change met."""
        if statement in self._plans:
            kind, plan = self._plans[statement]
            return self._select(plan, *values) if kind == "select" else self._put(plan, values)
        answer = getattr(self, NAMES.get(statement, ""), None)
        if answer is None:
            raise NotAnswered(statement)
        return answer(*values)

    def _select(self, plan: TablePlan, names: Sequence[str]) -> list[tuple[Any, ...]]:
        rows = self.tables[plan.table.TABLE].values()
        return [tuple(list(v) if isinstance(v, list) else v for v in row) for row in rows if row[plan.first] in names]

    def _put(self, plan: TablePlan, values: Sequence[Any]) -> int:
        table, key, row = self.tables[plan.table.TABLE], self.key(plan, values), tuple(values)
        if key in table and plan.table.APPEND_ONLY:
            return 0
        table[key] = row
        return 1

    def copied(self, name: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
        """COPY: all rows or, where one stands there, none."""
        plan = next(plan for plan in self.plans if name == plan.table.TABLE and plan.columns == tuple(columns))
        rows = {self.key(plan, values): tuple(values) for values in records}
        if self.tables[name].keys() & rows.keys():
            raise asyncpg.UniqueViolationError("a row stands there")
        self.tables[name] |= rows

    # store.sql

    def inbox_begin(self, reader: str, version: int) -> int:
        self.readers.add((reader, version))
        return 64

    def inbox_other_version(self, reader: str, version: int) -> list[Record]:
        return [Record.of(found=1) for name, other in self.readers if name == reader and other != version]

    def _checkpoint(self, reader: str, shard: int) -> dict[str, Any]:
        return self.checkpoints.get((reader, shard), _UNMOVED[shard])

    def inbox_checkpoints(self, reader: str, version: int) -> list[dict[str, Any]]:
        return [self._checkpoint(reader, shard) for shard in range(64)]

    def inbox_lock_checkpoints(self, reader: str, version: int, shards: Sequence[int]) -> list[dict[str, Any]]:
        return [self._checkpoint(reader, shard) for shard in sorted(shards)]

    def inbox_move_checkpoints(self, reader: str, version: int, *columns: Sequence[Any]) -> int:
        for shard, epoch, seq, hash_ in zip(*columns, strict=True):
            self.checkpoints[reader, shard] = self._checkpoint(reader, shard) | {"epoch": epoch, "seq": seq, "hash": hash_}
        return len(columns[0])

    def inbox_halt(self, reader: str, version: int, shard: int, reason: str) -> int:
        self.checkpoints[reader, shard] = self._checkpoint(reader, shard) | {"halted": reason}
        return 1

    def inbox_parked_in(self, reader: str, version: int, shards: Sequence[int]) -> list[Record]:
        return [Record.of(stream=s) for (r, s), (shard, *_) in self.parked.items() if r == reader and shard in shards]

    def inbox_park(self, reader: str, version: int, stream: str, shard: int, first: int, reason: str) -> int:
        self.parked.setdefault((reader, stream), (shard, first, reason, self._now()))
        return 1

    def inbox_parked_lately(self, reader: str, version: int) -> list[Record]:
        since = self._now() - timedelta(minutes=5)
        return [Record.of(count=sum(r == reader and at > since for (r, _), (*_, at) in self.parked.items()))]

    def inbox_parked(self, reader: str, version: int) -> list[Record]:
        return [
            Record.of(reader=r, stream=s, from_version=first, reason=reason, parked_at=at)
            for (r, s), (_, first, reason, at) in sorted(self.parked.items(), key=lambda each: (each[1][3], each[0][1]))
            if r == reader
        ]

    # agenda.sql

    def agenda_add_tasks(self, *columns: Sequence[Any]) -> int:
        names = "id reaction key stream target cause_shard cause_seq cause_link ordinal due_at recipient details state outcome"
        for values in zip(*columns, strict=True):
            row = dict(zip(names.split(), values, strict=True))
            self.agenda.setdefault(row["id"], row | {"attempts": 0, "next_at": LONG_AGO, "leased_until": LONG_AGO})
        return len(columns[0])

    def _change(self, found: Iterable[dict[str, Any]], **values: Any) -> int:
        ids = [row["id"] for row in found]
        for each in ids:
            self.agenda[each] = self.agenda[each] | values
        return len(ids)

    def agenda_close_by_fact(self, ids: Sequence[bytes]) -> int:
        found = [row for each in ids if (row := self.agenda.get(each)) and row["state"] != "closed"]
        return self._change(found, state="closed", outcome="done")

    def agenda_cancel(self, *columns: Sequence[Any]) -> int:
        cancelled = list(zip(*columns, strict=True))
        found = [
            row
            for row in self.agenda.values()
            if row["state"] != "closed"
            and any(
                (row["stream"], row["reaction"], row["key"]) == (stream, reaction, key) and row["cause_seq"] < seq
                for stream, reaction, key, seq in cancelled
            )
        ]
        return self._change(found, state="closed", outcome="cancelled")

    def _waits(self, row: dict[str, Any]) -> datetime:
        waits: datetime = max(row["due_at"] or LONG_AGO, row["next_at"], row["leased_until"])
        return waits

    def claimable(self, at: datetime) -> list[dict[str, Any]]:
        """The items that may be claimed at `at`, in order."""
        opened = [row for row in self.agenda.values() if row["state"] == "open"]

        first: dict[tuple[str, str], tuple[Any, ...]] = {}
        for row in opened:
            place, of = (row["cause_seq"], row["ordinal"], row["reaction"]), (row["stream"], row["recipient"])
            first[of] = min(first.get(of, place), place)

        def is_first(row: dict[str, Any]) -> bool:
            place = row["cause_seq"], row["ordinal"], row["reaction"]
            return row["recipient"] is None or place == first[row["stream"], row["recipient"]]

        found = [row for row in opened if self._waits(row) <= at and is_first(row)]
        return sorted(found, key=lambda row: (self._waits(row), row["cause_seq"], row["ordinal"]))

    def agenda_claim(self, limit: int, lease: timedelta) -> list[dict[str, Any]]:
        found = self.claimable(self._now())[:limit]
        for row in found:
            self._change([row], leased_until=self._now() + lease, attempts=row["attempts"] + 1)
        return [self.agenda[row["id"]] for row in found]

    def _opened(self, item: bytes, state: str = "open") -> list[dict[str, Any]]:
        return [row for row in [self.agenda.get(item)] if row and row["state"] == state]

    def agenda_close(self, item: bytes, outcome: str) -> int:
        return self._change(self._opened(item), state="closed", outcome=outcome)

    def agenda_park(self, item: bytes, outcome: str) -> int:
        return self._change(self._opened(item), state="parked", outcome=outcome)

    def agenda_retry(self, item: bytes, wait: timedelta, reason: str) -> int:
        return self._change(self._opened(item), next_at=self._now() + wait, leased_until=LONG_AGO, outcome=reason)

    def agenda_postpone(self, item: bytes, until: datetime) -> int:
        return self._change(self._opened(item), next_at=until, leased_until=LONG_AGO, attempts=0)

    def agenda_release(self, item: bytes) -> int:
        found = self._opened(item, "parked")
        return self._change(found, state="open", outcome=None, attempts=0, next_at=LONG_AGO, leased_until=LONG_AGO)


class Session:
    """The pool and the connections of one process to a database (a service's, or the log's), as asyncpg's."""

    def __init__(self, database: Any, life: Life) -> None:
        self._database, self._life = database, life
        self._depth = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Session]:
        yield Session(self._database, self._life)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        await self._life.step(holds=self._depth > 0)
        before = self._database.copy()
        self._depth += 1
        try:
            yield
            await self._life.step(holds=True)  # a process may die before its commit
        except BaseException:
            self._database.restore(before)
            raise
        finally:
            self._depth -= 1

    async def _ask(self, statement: str, values: Sequence[Any]) -> Any:
        await self._life.step(holds=self._depth > 0)
        return self._database.answer(statement, values)

    async def fetch(self, statement: str, *values: Any) -> Any:
        return await self._ask(statement, values)

    async def fetchrow(self, statement: str, *values: Any) -> Any:
        rows = await self._ask(statement, values)
        return rows[0] if rows else None

    async def fetchval(self, statement: str, *values: Any) -> Any:
        row = await self.fetchrow(statement, *values)
        return None if row is None else row[0]

    async def execute(self, statement: str, *values: Any) -> str:
        return f"UPDATE {await self._ask(statement, values)}"

    async def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        for values in rows:
            await self._ask(statement, values)

    async def copy_records_to_table(self, name: str, *, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
        await self._life.step(holds=True)
        self._database.copied(name, columns, records)

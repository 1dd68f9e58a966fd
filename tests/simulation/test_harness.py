"""The harness in memory answers as PostgreSQL does: the same random statements asked of both."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from typing import Any, Final

import asyncpg

from caselog.db.migrate import migrate
from caselog.db.queries import Queries
from chassis.eventing.agenda.processor import MIGRATIONS
from chassis.eventing.agenda.processor import SQL as AGENDA_SQL
from chassis.eventing.processors.store import SQL as INBOX_SQL
from tests.databases import Databases
from tests.eventing.harness import INBOX_MIGRATIONS
from tests.simulation.harness import LONG_AGO, NAMES, Database

STATEMENTS: Final = 1_000
ALL: Final = (
    "SELECT id, reaction, key, stream, cause_seq, ordinal, due_at, recipient, state, outcome, attempts, next_at, leased_until"
    " FROM agenda ORDER BY id"
)
AGENDA, INBOX = Queries.load(AGENDA_SQL), Queries.load(INBOX_SQL)


class Both:
    """PostgreSQL, in one transaction so that its now() stands still, and the harness at that moment."""

    def __init__(self, real: asyncpg.Connection, settings: Database, chance: random.Random) -> None:
        self._real, self._ground, self._chance = real, settings, chance
        self.asked: set[str] = set()
        self.names = {text: name for queries in (AGENDA, INBOX) for name, text in queries._queries.items()}

    async def ask(self, statement: str, *values: Any) -> None:
        """The same statement; the same rows, in no order that the statement does not name."""
        self.asked.add(statement)
        found = sorted(map(_row, await self._real.fetch(statement, *values)), key=repr)
        answered = self._ground.answer(statement, values)
        if isinstance(answered, list):
            assert found == sorted((_row(row, found) for row in answered), key=repr), self.names[statement]
        real = [_row(row) for row in await self._real.fetch(ALL)]
        held = [
            tuple(row[name.strip()] for name in ALL[7 : ALL.index(" FROM")].split(","))
            for _, row in sorted(self._ground.agenda.items())
        ]
        assert real == held, self.names[statement]

    async def some_agenda(self, at: Any) -> None:
        """One statement of agenda.sql."""
        chance = self._chance
        item = hashlib.sha256(bytes([chance.randrange(12)])).digest()
        soon = timedelta(seconds=chance.choice([-30, 30]))
        stream, reaction, key = f"case:{chance.choice('ab')}", chance.choice("rs"), chance.choice("12")
        number = int.from_bytes(item[:2], "big")
        due, recipient = chance.choice([None, at + soon]), chance.choice([None, "x", "y"])
        owed = [item, reaction, key, stream, stream, 0, number, item, number % 7, due, recipient, "{}", "open", None]
        statements: list[tuple[str, tuple[Any, ...]]] = [
            (AGENDA.add_tasks, tuple([each] for each in owed)),
            (AGENDA.add_tasks, tuple([each] for each in owed)),
            (AGENDA.close_by_fact, ([item],)),
            (AGENDA.cancel, ([stream], [reaction], [key], [chance.randrange(1 << 16)])),
            (AGENDA.claim, (20, soon)),
            (AGENDA.close, (item, "stale")),
            (AGENDA.park, (item, "why")),
            (AGENDA.retry, (item, soon, "later")),
            (AGENDA.postpone, (item, at + soon)),
            (AGENDA.release, (item,)),
        ]
        statement, values = chance.choice(statements)
        await self.ask(statement, *values)

    async def some_inbox(self) -> None:
        """One statement of store.sql."""
        chance = self._chance
        shard, hash_, stream = chance.randrange(3), chance.randbytes(32), f"case:{chance.choice('abc')}"
        key = "r", 1
        statements: list[tuple[str, tuple[Any, ...]]] = [
            (INBOX.move_checkpoints, (*key, [shard], [1], [chance.randrange(99)], [hash_])),
            (INBOX.halt, (*key, shard, "fork")),
            (INBOX.checkpoints, key),
            (INBOX.lock_checkpoints, (*key, [2, 0])),
            (INBOX.park, (*key, stream, shard, chance.randrange(9), "why")),
            (INBOX.parked_in, (*key, [0, 1])),
            (INBOX.parked_lately, key),
            (INBOX.parked, key),
            (INBOX.other_version, ("r", chance.choice([1, 2]))),
        ]
        statement, values = chance.choice(statements)
        await self.ask(statement, *values)


def _row(row: Any, like: Any = None) -> tuple[Any, ...]:
    values = row.values() if isinstance(row, dict) or hasattr(row, "items") else row
    if like and isinstance(row, dict) and len(row) > len(like[0]):  # the claim gives fewer columns than a whole item has
        names = "id reaction key stream target cause_shard cause_seq cause_link ordinal due_at recipient details attempts"
        values = [row[name] for name in names.split()]
    return tuple(LONG_AGO if getattr(value, "year", 9999) < 1970 else value for value in values)


async def test_the_ground_of_the_simulation_answers_as_postgresql_does(databases: Databases) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    owner = await databases.connect("review", "owner")
    await migrate(owner, "inbox", INBOX_MIGRATIONS)
    await migrate(owner, "agenda", MIGRATIONS)
    await owner.close()
    connection = await databases.connect("review", "review")
    async with connection.transaction():
        at = await connection.fetchval("SELECT now()")
        both = Both(connection, Database(lambda: at, []), chance)
        await both.ask(INBOX.begin, "r", 1)
        for _ in range(STATEMENTS):
            await both.some_agenda(at)
            await both.some_inbox()
    await connection.close()
    # Each statement that the harness answers was compared: one that is added to it later fails here until it is.
    assert both.asked == {text for text, name in NAMES.items() if hasattr(Database, name)}

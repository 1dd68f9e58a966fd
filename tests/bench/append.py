"""Appends per second, beside pgbench's insert of the same bytes, another event store, and the limit of one connection."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import asyncpg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from caselog.append import Appender
from caselog.outcomes import Appended, AppendRequest, NewFact
from deploy.local.postgres import OWNER
from deploy.local.postgres_account import programs_of_the_wheel
from tests.bench.harness import Bench, sampled
from tests.bench.house import cpu_of, postmaster
from tests.bench.lines import Aim, Line
from tests.bench.pgbench import Pgbench
from tests.bench.samples import Sample, each, rate
from tests.databases import Databases

BODIES: Final = tuple(b'{"reason":"' + b"x" * size + b'"}' for size in (387, 587, 787, 987, 1187, 1487))
"""400 to 1,500 bytes, as real facts are."""
PEER: Final = b"x" * (sum(len(body) for body in BODIES) // len(BODIES))
CALLERS: Final = (1, 8, 32, 256)
LIMIT_BATCH: Final = 100
OTHERS_CALLERS: Final = 32
CPU_CALLERS: Final = 32
"""Whose processor time is told."""
BARE: Final = """
INSERT INTO bare (shard, seq, stream, version, type, type_version, epoch, recorded_at, actor, command, ordinal,
                  request, meta, body, prev, link)
SELECT shard, seq, stream, 1, 'case.withdrawn', 1, 1, now(), 'citizen:x', name, 0, name, '{}', body, name, name
FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[]) u(shard, seq, stream, name, body)"""


@dataclass(frozen=True)
class Appending:
    """What a run of appends came to."""

    done: int
    seconds: float
    container: float
    """Seconds of CPU of this process: the callers and the appender."""
    server: float
    """Seconds of CPU of PostgreSQL."""

    @property
    def rate(self) -> Sample:
        """Appends per second."""
        return rate(self.done, self.seconds, "append")


async def appends(databases: Databases, callers: int, label: str, seconds: float, *, hot: bool = False) -> Appending:
    """Append by `callers` tasks over one appender, each at least once; `hot`: all to one stream, and so to one shard."""
    done = 0

    async def caller(appender: Appender, number: int) -> None:
        nonlocal done
        step = 0
        while step == 0 or time.perf_counter() < started + seconds:  # once at least, however busy the machine is
            name = f"{label}/{number}/{step}"
            stream = f"case:hot-{label}" if hot else f"case:{hashlib.sha256(name.encode()).hexdigest()[:26]}"
            identity, body = hashlib.sha256(name.encode()).digest(), BODIES[step % len(BODIES)]
            command = AppendRequest(
                stream, None, identity, identity, "citizen:x", None, b"{}", [NewFact("case.withdrawn", 1, body)]
            )
            assert isinstance(await appender.append(command), Appended)
            step += 1
            done += 1

    server = [postmaster(databases.server)]
    async with databases.appender() as appender:
        started, container, there = time.perf_counter(), time.process_time(), cpu_of(server)
        await asyncio.gather(*(caller(appender, number) for number in range(callers)))
        # While the connection stands: what its process took is counted no longer when it has ended.
        return Appending(done, time.perf_counter() - started, time.process_time() - container, cpu_of(server) - there)


def _pgbench(databases: Databases, bench: Bench) -> Pgbench:
    script = bench.directory / "insert.sql"
    script.write_text(f"INSERT INTO peer (body) VALUES ('\\x{PEER.hex()}');\n")
    return Pgbench(programs_of_the_wheel() / "pgbench", script, databases.where("caselog", OWNER))


async def _unnest(connection: asyncpg.Connection, seconds: float) -> Sample:
    """The limit of one connection: the same bytes in batches, with nothing checked, chained or indexed but a key."""
    started, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() < started + seconds:
        await connection.execute("INSERT INTO peer (body) SELECT unnest($1::bytea[])", [PEER] * LIMIT_BATCH)
        done += LIMIT_BATCH
    return rate(done, time.perf_counter() - started, "insert .. unnest")


async def _bare(connection: asyncpg.Connection, rows: int, seconds: float) -> Sample:
    """The limit of one append in flight: `rows` at once by one statement, in a table with the log's columns, checks and indexes.

    Nothing is asked, decided, locked, linked or answered, and only the statement's own time is counted: not what makes the rows.
    """
    statement = await connection.prepare(BARE)
    before: int = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM bare")
    spent, done = 0.0, 0
    while spent < seconds:
        names, seqs = [os.urandom(32) for _ in range(rows)], [before + done + each + 1 for each in range(rows)]
        shards, streams = [name[0] % 64 for name in names], [f"case:{name.hex()[:26]}" for name in names]
        bodies = [BODIES[each % len(BODIES)] for each in range(rows)]
        started = time.perf_counter()
        await statement.fetch(shards, seqs, streams, names, bodies)
        spent += time.perf_counter() - started
        done += rows
    return rate(done, spent, "the bare rows")


class Others:
    """`eventsourcing` in its default mode, which locks the table for each append: the same bytes from as many threads."""

    def __init__(self, databases: Databases) -> None:
        where = databases.where("caselog", OWNER)
        self._store = PostgresDatastore(
            dbname=where["database"], host=where["host"], port=where["port"], user=where["user"], password=where["password"],
            pool_size=OTHERS_CALLERS, connect_timeout=30,
        )  # fmt: skip
        self._recorder = PostgresApplicationRecorder(self._store, events_table_name="stored_events")
        self._recorder.create_table()

    def appends(self, seconds: float) -> Sample:
        """Events per second, one per append; each thread at least once."""

        def caller(number: int) -> int:
            done = 0
            while done == 0 or time.perf_counter() < started + seconds:
                self._recorder.insert_events([StoredEvent(uuid4(), 1, "case.withdrawn", BODIES[done % len(BODIES)])])
                done += 1
            return done

        started = time.perf_counter()
        with ThreadPoolExecutor(OTHERS_CALLERS) as pool:
            done = sum(pool.map(caller, range(OTHERS_CALLERS)))
        return rate(done, time.perf_counter() - started, "eventsourcing")

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()


async def measure(bench: Bench) -> list[Line]:
    """The lines take turns in every round, so that drift meets all alike."""
    databases, seconds = await bench.databases("append_"), bench.seconds
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    await connection.execute("CREATE TABLE peer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
    await connection.execute("CREATE TABLE bare (LIKE log.facts INCLUDING ALL)")
    others, pgbench = Others(databases), _pgbench(databases, bench)
    ours: dict[str, list[Sample]] = {}
    peers: dict[str, list[Sample]] = {}
    runs: list[Appending] = []

    async def append(callers: int, label: str, *, hot: bool = False) -> Sample:
        run = await appends(databases, callers, label, seconds, hot=hot)
        if callers == CPU_CALLERS and not hot:
            runs.append(run)
        return run.rate

    try:
        for number in range(bench.rounds):
            tag = f"{number}-{random.randrange(1 << 30)}"
            for callers in CALLERS:
                ours.setdefault(str(callers), []).append(await sampled(append(callers, f"{tag}-{callers}")))
            ours.setdefault("hot", []).append(await sampled(append(32, f"{tag}-hot", hot=True)))
            for clients in (1, 8, 32):
                peers.setdefault(str(clients), []).append(await asyncio.to_thread(pgbench.inserts, clients, seconds))
            peers.setdefault("bare", []).append(await sampled(_bare(connection, 32, seconds)))
            peers.setdefault("limit", []).append(await sampled(_unnest(connection, seconds)))
            peers.setdefault("others", []).append(await sampled(asyncio.to_thread(others.appends, seconds)))
    finally:
        others.close()
    await connection.close()
    _tell_cpu(bench, runs)
    return _lines({name: tuple(each) for name, each in ours.items()}, {name: tuple(each) for name, each in peers.items()})


def _tell_cpu(bench: Bench, runs: Sequence[Appending]) -> None:
    done = sum(run.done for run in runs)
    container, server = (each(done, sum(cpu), 1e6) for cpu in ((run.container for run in runs), (run.server for run in runs)))
    bench.note(f"CPU of one append by {CPU_CALLERS} callers, us: callers and appender {container}, PostgreSQL {server}")


def _lines(ours: dict[str, tuple[Sample, ...]], peers: dict[str, tuple[Sample, ...]]) -> list[Line]:
    limit = f"insert .. unnest by {LIMIT_BATCH}, one client"
    rows = "its rows by 32 into the same table and indexes, one client"
    many = Aim(figure=14_000, ratio=1.5)
    return [
        Line("append-1", "append, 1 caller", ours["1"], "pgbench insert, 1 client", peers["1"]),
        Line("append-8", "append, 8 callers", ours["8"], "pgbench insert, 8 clients", peers["8"]),
        Line("append-32", "append, 32 callers", ours["32"], "pgbench insert, 32 clients", peers["32"], aim=many),
        Line(
            "append-32-eventsourcing", "append, 32 callers", ours["32"], f"eventsourcing, {OTHERS_CALLERS} threads",
            peers["others"], aim=Aim(ratio=25),
        ),
        Line("append-32-rows", "append, 32 callers", ours["32"], rows, peers["bare"]),
        Line(
            "append-hot", "append, 32 callers, one hot shard", ours["hot"], "append, 32 callers", ours["32"],
            aim=Aim(figure=12_000),
        ),
        Line("append-256", "append, 256 callers", ours["256"], limit, peers["limit"], aim=Aim(figure=20_000)),
    ]  # fmt: skip

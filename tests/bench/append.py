"""Appends per second, beside pgbench's insert of the same bytes, another event store, and the limit of one connection."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from caselog.append import Appender
from caselog.outcomes import Append, Appended, NewFact
from deploy.local.postgres import OWNER, binaries
from tests.bench.ground import Bench
from tests.bench.house import cpu_of, postmaster
from tests.bench.lines import Line
from tests.databases import Databases

BODIES: Final = tuple(b'{"reason":"' + b"x" * size + b'"}' for size in (387, 587, 787, 987, 1187, 1487))
"""400 to 1,500 bytes, as real facts are."""
PEER: Final = b"x" * (sum(len(body) for body in BODIES) // len(BODIES))
CALLERS: Final = (1, 8, 32, 256)
LIMIT_BATCH: Final = 100
OTHERS_CALLERS: Final = 32
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
    here: float
    """Seconds of CPU of this process: the callers and the appender."""
    server: float
    """Seconds of CPU of PostgreSQL."""

    @property
    def rate(self) -> float:
        """Appends per second."""
        return self.done / self.seconds


async def appends(databases: Databases, callers: int, label: str, seconds: float, *, hot: bool = False) -> Appending:
    """Append by `callers` tasks over one appender; `hot`: all to one stream, and so to one shard."""
    end = time.perf_counter() + seconds
    done = 0

    async def caller(appender: Appender, number: int) -> None:
        nonlocal done
        step = 0
        while time.perf_counter() < end:
            name = f"{label}/{number}/{step}"
            stream = f"case:hot-{label}" if hot else f"case:{hashlib.sha256(name.encode()).hexdigest()[:26]}"
            identity, body = hashlib.sha256(name.encode()).digest(), BODIES[step % len(BODIES)]
            command = Append(stream, None, identity, identity, "citizen:x", None, b"{}", [NewFact("case.withdrawn", 1, body)])
            assert isinstance(await appender.append(command), Appended)
            step += 1
            done += 1

    server = [postmaster(databases.server)]
    started, here, there = time.perf_counter(), time.process_time(), cpu_of(server)
    async with databases.appender() as appender:
        await asyncio.gather(*(caller(appender, number) for number in range(callers)))
        # While the connection stands: what its process took is counted no longer when it has ended.
        return Appending(done, time.perf_counter() - started, time.process_time() - here, cpu_of(server) - there)


def _pgbench(databases: Databases, directory: Path, clients: int, seconds: float) -> float:
    script = directory / "insert.sql"
    script.write_text(f"INSERT INTO peer (body) VALUES ('\\x{PEER.hex()}');\n")
    done = subprocess.run(
        [
            str(binaries() / "pgbench"), "-n", "-M", "prepared", "-f", str(script), "-c", str(clients), "-j", "2",
            "-T", str(max(1, round(seconds))), "-h", "127.0.0.1", "-p", str(databases.server.port), "-U", OWNER,
            f"{databases.prefix}caselog",
        ],
        env=os.environ | {"PGPASSWORD": databases.server.owner_password}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("tps")]
    return float(line.split()[2])


async def _unnest(connection: asyncpg.Connection, seconds: float) -> float:
    """The limit of one connection: the same bytes in batches, with nothing checked, chained or indexed but a key."""
    end, done = time.perf_counter() + seconds, 0
    started = time.perf_counter()
    while time.perf_counter() < end:
        await connection.execute("INSERT INTO peer (body) SELECT unnest($1::bytea[])", [PEER] * LIMIT_BATCH)
        done += LIMIT_BATCH
    return done / (time.perf_counter() - started)


async def _bare(connection: asyncpg.Connection, rows: int, seconds: float) -> float:
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
    return done / spent


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

    def appends(self, seconds: float) -> float:
        """Events per second, one per append."""
        end = time.perf_counter() + seconds

        def caller(number: int) -> int:
            done = 0
            while time.perf_counter() < end:
                self._recorder.insert_events([StoredEvent(uuid4(), 1, "case.withdrawn", BODIES[done % len(BODIES)])])
                done += 1
            return done

        started = time.perf_counter()
        with ThreadPoolExecutor(OTHERS_CALLERS) as pool:
            done = sum(pool.map(caller, range(OTHERS_CALLERS)))
        return done / (time.perf_counter() - started)

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()


async def measure(bench: Bench) -> list[Line]:
    """The lines take turns in every round, so that drift meets all alike."""
    databases, seconds = await bench.databases("append_"), bench.seconds
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    await connection.execute("CREATE TABLE peer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
    await connection.execute("CREATE TABLE bare (LIKE log.facts INCLUDING ALL)")
    others = Others(databases)
    ours: dict[str, list[Appending]] = {}
    peers: dict[str, list[float]] = {}
    try:
        for number in range(bench.rounds):
            tag = f"{number}-{random.randrange(1 << 30)}"
            for callers in CALLERS:
                ours.setdefault(str(callers), []).append(await appends(databases, callers, f"{tag}-{callers}", seconds))
            ours.setdefault("hot", []).append(await appends(databases, 32, f"{tag}-hot", seconds, hot=True))
            for clients in (1, 8, 32):
                done = await asyncio.to_thread(_pgbench, databases, bench.directory, clients, seconds)
                peers.setdefault(str(clients), []).append(done)
            peers.setdefault("bare", []).append(await _bare(connection, 32, seconds))
            peers.setdefault("limit", []).append(await _unnest(connection, seconds))
            peers.setdefault("others", []).append(await asyncio.to_thread(others.appends, seconds))
    finally:
        others.close()
    await connection.close()
    _tell_cpu(bench, ours["32"])
    return _lines(
        {name: tuple(run.rate for run in each) for name, each in ours.items()},
        {name: tuple(each) for name, each in peers.items()},
    )


def _tell_cpu(bench: Bench, runs: Sequence[Appending]) -> None:
    done = sum(run.done for run in runs)
    here, server = sum(run.here for run in runs) / done * 1e6, sum(run.server for run in runs) / done * 1e6
    bench.say(f"append, 32 callers: CPU of one append, us: callers and appender {here:.1f}, PostgreSQL {server:.1f}")


def _lines(ours: dict[str, tuple[float, ...]], peers: dict[str, tuple[float, ...]]) -> list[Line]:
    limit = f"insert .. unnest by {LIMIT_BATCH}, one client"
    return [
        *(Line(f"append, {n} callers", ours[n], f"pgbench insert, {n} clients", peers[n]) for n in ("1", "8")),
        Line("append, 32 callers", ours["32"], "pgbench insert, 32 clients", peers["32"], must=">= 14,000 and >= 1.5x"),
        Line("append, 32 callers", ours["32"], f"eventsourcing, {OTHERS_CALLERS} threads", peers["others"], must=">= 25x"),
        Line("append, 32 callers", ours["32"], "its rows by 32 into the same table and indexes, one client", peers["bare"]),
        Line("append, 32 callers, one hot shard", ours["hot"], "append, 32 callers", ours["32"], must=">= 12,000"),
        Line("append, 256 callers", ours["256"], limit, peers["limit"], must=">= 20,000"),
    ]

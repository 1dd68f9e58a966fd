"""What is read: verify, a case's timeline in a small and in a large log, and a rebuild."""

from __future__ import annotations

import hashlib
import io
import random
import statistics
import time

import asyncpg

from caselog.read import LogReader
from caselog.timeline import timeline
from caselog.verification import Finding, ShardCheck
from chassis.bus.readers import Reader
from chassis.bus.rebuild import Rebuild
from deploy.local.postgres import OWNER
from tests.bench.append import appends
from tests.bench.ground import Bench
from tests.bench.lines import Line
from tests.bus.ground import apply, prepare
from tests.databases import Databases

SMALL = 10_000
ASKED = 1_000


async def _fill(databases: Databases, count: int) -> None:
    """Bring the log to `count` facts."""
    connection = await databases.connect("caselog", OWNER)
    while (missing := count - await connection.fetchval("SELECT count(*) FROM log.facts")) > 0:
        await appends(databases, 256, f"fill-{missing}", min(10.0, missing / 25_000 + 0.1))
    await connection.execute("VACUUM ANALYZE log.facts")
    await connection.close()


async def _timelines(databases: Databases) -> float:
    """The 99th percentile of reading one case's timeline, in milliseconds."""
    connection = await databases.connect("caselog", OWNER)
    sample = "SELECT stream FROM log.facts TABLESAMPLE SYSTEM (20) LIMIT $1"
    streams = [row["stream"] for row in await connection.fetch(sample, ASKED)]
    await connection.close()
    took = []
    async with databases.reader() as log:
        for stream in random.choices(streams, k=ASKED):
            started = time.perf_counter()
            assert timeline(await log.stream(stream))
            took.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(took, n=100)[98]


async def _verify(log: LogReader) -> tuple[float, float]:
    """Facts re-hashed per second on one core, and how often hashlib alone hashes the same bytes."""
    shard = max((await log.heads()).items(), key=lambda head: head[1].seq)[0]
    facts = await log.shard(shard, 0, 100_000)
    started = time.perf_counter()
    assert not isinstance(ShardCheck(shard).page(facts), Finding)
    ours = len(facts) / (time.perf_counter() - started)
    started = time.perf_counter()
    for fact in facts:
        hashlib.sha256(fact.body).digest()
        hashlib.sha256(fact.meta).digest()
        hashlib.sha256(fact.link).digest()
    return ours, len(facts) / (time.perf_counter() - started)


async def _rebuild(databases: Databases, log: LogReader) -> tuple[float, float]:
    """Facts per second of a rebuild whose reader writes one row a fact, and of COPY out of the same rows."""
    await prepare(databases)
    started = time.perf_counter()
    done = await Rebuild(Reader("rows", 1, apply, {"rows": "*"}), databases.where("review", "owner"), log).run()
    ours = done.facts / (time.perf_counter() - started)
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    started = time.perf_counter()
    await connection.copy_from_query("SELECT * FROM log.facts", output=io.BytesIO(), format="binary")
    copied = done.facts / (time.perf_counter() - started)
    await connection.close()
    return ours, copied


async def measure(bench: Bench) -> list[Line]:
    """The lines of reading; the log is filled to `bench.facts` on the way."""
    databases, rounds, facts = await bench.databases("read_"), bench.rounds, bench.facts
    await _fill(databases, SMALL)
    small = [await _timelines(databases) for _ in range(rounds)]
    async with databases.reader() as log:
        rebuilt = await _rebuild(databases, log)
        await _fill(databases, facts)
        large = [await _timelines(databases) for _ in range(rounds)]
        verified = [await _verify(log) for _ in range(rounds)]
    log_of = f"timeline of a case, log of {facts:,} facts, p99"
    return [
        Line("verify, one core", tuple(v for v, _ in verified), "hashlib over the same bytes", tuple(h for _, h in verified)),
        Line(log_of, tuple(large), f"the same, log of {SMALL:,} facts", tuple(small), "ms"),
        Line("rebuild of a projection", (rebuilt[0],), "COPY out of the same rows", (rebuilt[1],), "facts/s"),
    ]

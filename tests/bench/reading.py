"""What is read: verify, a case's timeline in a small and in a large log, and the rebuild of the largest projection."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import asdict
from typing import Final

import asyncpg

from caselog.chain import preimage
from caselog.db.migrate import migrate
from caselog.timeline import timeline
from caselog.verify import Finding, ShardCheck
from chassis.privacy.key_files import VaultKeys
from chassis.runtime.container import INBOX
from deploy.local.postgres import OWNER
from schemas.envelope import RecordedFact
from tests.bench.cases import fill
from tests.bench.harness import Bench, paired, sampled
from tests.bench.house import told
from tests.bench.lines import Aim, Line
from tests.bench.rebuilding import Order
from tests.bench.samples import NothingMeasured, Sample, percentile99, rate
from tests.conftest import ROOT
from tests.databases import Databases
from tests.privacy.vaults import key_directory

SMALL: Final = 10_000
ASKED: Final = 1_000
"""Timelines of a round, where it may last a second or longer."""
PAGE: Final = 5_000
LONG_ROUNDS: Final = 3
"""Rounds of what reads the whole log."""
SAMPLED: Final = 100_000
"""Facts of a log from which on a tenth of its pages holds cases enough."""


async def measure(bench: Bench) -> list[Line]:
    """The lines of reading, over a small and a large log."""
    small, large = await bench.databases("small_"), await bench.databases("read_")
    keys = VaultKeys(key_directory(bench.directory, "intake"))
    began, little = time.perf_counter(), min(SMALL, bench.facts // 2)
    await fill(bench, small, keys, little)
    await fill(bench, large, keys, bench.facts)
    bench.say(f"the logs took {time.perf_counter() - began:.0f} s")
    of_small, of_large = [], []
    asked = max(100, round(ASKED * min(1.0, bench.seconds)))
    for number in range(bench.rounds):
        bench.say(f"timelines, round {number + 1}")
        of_small.append(await sampled(_timelines(small, little, asked)))
        of_large.append(await sampled(_timelines(large, bench.facts, asked)))
    rounds = range(min(bench.rounds, LONG_ROUNDS))
    verified = [await paired(_verify(bench, large)) for _ in rounds]
    await _prepare(large)
    rebuilt, copied = [], []
    for _ in rounds:
        bench.say("rebuild")
        rebuilt.append(await sampled(_rebuild(bench, large)))
        copied.append(await sampled(_copied(large)))
    ours, hashed = (tuple(each) for each in zip(*verified, strict=True))
    name = f"timeline of a case, log of {bench.facts:,} facts, p99"
    soon = Aim(figure=5, ratio=1.5, at_most=True)
    return [
        Line(
            "rebuild", "rebuild of intake's cases and notices", tuple(rebuilt), "COPY out of the same rows", tuple(copied),
            "facts/s", Aim(figure=100_000),
        ),
        Line(
            "verify", "verify (re-hash from bytes), one core", ours, "hashlib over the same bytes", hashed,
            "facts/s", Aim(figure=300_000),
        ),
        Line("timeline", name, tuple(of_large), f"the same, log of {little:,} facts", tuple(of_small), "ms", soon),
    ]  # fmt: skip


async def _timelines(databases: Databases, facts: int, asked: int) -> Sample:
    """The 99th percentile of reading one case's timeline, in milliseconds."""
    connection = await databases.connect("caselog", OWNER)
    sample = "SELECT DISTINCT stream FROM log.facts TABLESAMPLE SYSTEM ($2) LIMIT $1"
    streams = [row["stream"] for row in await connection.fetch(sample, ASKED, 100.0 if facts < SAMPLED else 10.0)]
    await connection.close()
    if not streams:
        raise NothingMeasured(f"no case was found in a log of {facts:,} facts")
    took = []
    async with databases.reader() as log:
        for stream in random.choices(streams, k=asked):
            started = time.perf_counter()
            assert timeline(await log.stream(stream))
            took.append((time.perf_counter() - started) * 1000)
    return percentile99(took, "timelines")


async def _verify(bench: Bench, databases: Databases) -> tuple[Sample, Sample]:
    """Facts re-hashed per second of one core over the whole log, and how many hashlib alone hashes of the same bytes.

    In seconds of this thread on a core, page by page in turn: who else is on the machine does not count, reading neither.
    """
    bench.say("verify")
    ours = theirs = 0.0
    count = 0
    async with databases.reader() as log:
        for shard, head in (await log.heads()).items():
            check = ShardCheck(shard)
            while page := await log.shard(shard, check.clean().facts, PAGE):
                started = time.thread_time()
                found = check.page(page)
                ours += time.thread_time() - started
                assert not isinstance(found, Finding)
                theirs += _hashed(page)
            assert check.clean().facts == head.seq
            count += head.seq
    return rate(count, ours, "verify"), rate(count, theirs, "hashlib")


def _hashed(page: list[RecordedFact]) -> float:
    preimages = [preimage(fact, bytes(16)) for fact in page]
    started = time.thread_time()
    for fact, bytes_ in zip(page, preimages, strict=True):
        hashlib.sha256(fact.body).digest()
        hashlib.sha256(fact.meta).digest()
        hashlib.sha256(bytes_).digest()
    return time.thread_time() - started


async def _prepare(databases: Databases) -> None:
    connection = await databases.connect("intake", OWNER)
    await migrate(connection, "inbox", INBOX)
    await migrate(connection, "intake", ROOT / "services" / "intake" / "migrations")
    await connection.close()


async def _rebuild(bench: Bench, databases: Databases) -> Sample:
    """Facts per second of a rebuild of intake's rows (the largest projection)."""
    order = Order(
        log=databases.where("caselog", "audit_reader"),
        vault=databases.where("vault", "intake"),
        owner=databases.where("intake", OWNER),
        keys=str(key_directory(bench.directory, "intake")),
    )
    done = await told("tests.bench.rebuilding", asdict(order))
    return rate(done["facts"], done["seconds"], "rebuild")


async def _copied(databases: Databases) -> Sample:
    """Facts per second of COPY out of the same rows."""
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    try:
        facts: int = await connection.fetchval("SELECT count(*) FROM log.facts")
        started = time.perf_counter()
        await connection.copy_from_query("SELECT * FROM log.facts", output=_gone, format="binary")
        return rate(facts, time.perf_counter() - started, "COPY")
    finally:
        await connection.close()


async def _gone(_data: bytes) -> None:
    """The rows are read and let go."""

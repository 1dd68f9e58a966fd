"""What is read: verify, a case's timeline in a small and in a large log, and the rebuild of the largest projection."""

from __future__ import annotations

import hashlib
import random
import statistics
import time
from dataclasses import asdict
from typing import Final

import asyncpg

from caselog.chain import preimage
from caselog.migrations import migrate
from caselog.timeline import timeline
from caselog.verification import Finding, ShardCheck
from chassis.standing import INBOX
from chassis.vault.keys import VaultKeys
from deploy.local.postgres import OWNER
from schemas.envelope import Recorded
from tests.bench.cases import fill
from tests.bench.ground import Bench
from tests.bench.house import told
from tests.bench.lines import Line
from tests.bench.rebuilding import Order
from tests.chassis.vaults import key_directory
from tests.conftest import ROOT
from tests.databases import Databases

SMALL: Final = 10_000
ASKED: Final = 1_000
PAGE: Final = 5_000
LONG_ROUNDS: Final = 3
"""Rounds of what reads the whole log."""


async def measure(bench: Bench) -> list[Line]:
    """The lines of reading, over a small and a large log."""
    small, large = await bench.databases("small_"), await bench.databases("read_")
    keys = VaultKeys(key_directory(bench.directory, "intake"))
    began = time.perf_counter()
    await fill(bench, small, keys, SMALL)
    await fill(bench, large, keys, bench.facts)
    bench.say(f"the logs took {time.perf_counter() - began:.0f} s")
    of_small, of_large = [], []
    for number in range(bench.rounds):
        bench.say(f"timelines, round {number + 1}")
        of_small.append(await _timelines(small))
        of_large.append(await _timelines(large))
    verified = [await _verify(bench, large) for _ in range(min(bench.rounds, LONG_ROUNDS))]
    await _prepare(large)
    rebuilt = [await _rebuild(bench, large) for _ in range(min(bench.rounds, LONG_ROUNDS))]
    return [
        Line(
            "rebuild of intake's cases and notices",
            tuple(rate for rate, _ in rebuilt),
            "COPY out of the same rows",
            tuple(rate for _, rate in rebuilt),
            "facts/s",
            ">= 100,000",
        ),
        Line(
            "verify (re-hash from bytes), one core",
            tuple(rate for rate, _ in verified),
            "hashlib over the same bytes",
            tuple(rate for _, rate in verified),
            "facts/s",
            ">= 300,000",
        ),
        Line(
            f"timeline of a case, log of {bench.facts:,} facts, p99",
            tuple(of_large),
            f"the same, log of {SMALL:,} facts",
            tuple(of_small),
            "ms",
            "<= 5 ms, <= 1.5x",
        ),
    ]


async def _timelines(databases: Databases) -> float:
    """The 99th percentile of reading one case's timeline, in milliseconds."""
    connection = await databases.connect("caselog", OWNER)
    sample = "SELECT DISTINCT stream FROM log.facts TABLESAMPLE SYSTEM ($2) LIMIT $1"
    streams = [row["stream"] for row in await connection.fetch(sample, ASKED, 100.0 if databases.prefix == "small_" else 10.0)]
    await connection.close()
    took = []
    async with databases.reader() as log:
        for stream in random.choices(streams, k=ASKED):
            started = time.perf_counter()
            assert timeline(await log.stream(stream))
            took.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(took, n=100)[98]


async def _verify(bench: Bench, databases: Databases) -> tuple[float, float]:
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
    return count / ours, count / theirs


def _hashed(page: list[Recorded]) -> float:
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


async def _rebuild(bench: Bench, databases: Databases) -> tuple[float, float]:
    """Facts per second of a rebuild of intake's rows (the largest projection), and of COPY out of the same rows."""
    bench.say("rebuild")

    order = Order(
        log=databases.where("caselog", "audit_reader"),
        vault=databases.where("vault", "intake"),
        owner=databases.where("intake", OWNER),
        keys=str(key_directory(bench.directory, "intake")),
    )
    done = await told("tests.bench.rebuilding", asdict(order))
    ours = done["facts"] / done["seconds"]
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    started = time.perf_counter()
    await connection.copy_from_query("SELECT * FROM log.facts", output=_gone, format="binary")
    copied = done["facts"] / (time.perf_counter() - started)
    await connection.close()
    return ours, copied


async def _gone(_data: bytes) -> None:
    """The rows are read and let go."""

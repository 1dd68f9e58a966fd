"""Appends per second, beside pgbench's single-row insert of the same bytes and the limit of one connection."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Final

import asyncpg

from caselog.append import Appender
from caselog.outcomes import Append, Appended, NewFact
from deploy.local.postgres import OWNER, binaries
from tests.bench.lines import Line
from tests.databases import Databases

BODIES: Final = tuple(b'{"reason":"' + b"x" * size + b'"}' for size in (387, 587, 787, 987, 1187, 1487))
"""400 to 1,500 bytes, as real facts are."""
PEER: Final = b"x" * (sum(len(body) for body in BODIES) // len(BODIES))
CALLERS: Final = (1, 8, 32, 256)
LIMIT_BATCH: Final = 100


async def appends(databases: Databases, callers: int, label: str, seconds: float, *, hot: bool = False) -> float:
    """Appends per second by `callers` tasks over one appender; `hot`: all to one stream, and so to one shard."""
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

    started = time.perf_counter()
    async with databases.appender() as appender:
        await asyncio.gather(*(caller(appender, number) for number in range(callers)))
    return done / (time.perf_counter() - started)


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


async def measure(databases: Databases, directory: Path, rounds: int, seconds: float) -> list[Line]:
    """The lines take turns in every round, so that drift meets all alike."""
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    await connection.execute("CREATE TABLE peer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
    ours: dict[str, list[float]] = {}
    peers: dict[str, list[float]] = {}
    for number in range(rounds):
        tag = f"{number}-{random.randrange(1 << 30)}"
        for callers in CALLERS:
            ours.setdefault(str(callers), []).append(await appends(databases, callers, f"{tag}-{callers}", seconds))
        ours.setdefault("hot", []).append(await appends(databases, 32, f"{tag}-hot", seconds, hot=True))
        for clients in (1, 8, 32):
            done = await asyncio.to_thread(_pgbench, databases, directory, clients, seconds)
            peers.setdefault(str(clients), []).append(done)
        peers.setdefault("limit", []).append(await _unnest(connection, seconds))
    await connection.close()
    lines = [
        Line(f"append, {n} callers", tuple(ours[n]), f"pgbench insert, {n} clients", tuple(peers[n])) for n in ("1", "8", "32")
    ]
    limit = f"insert .. unnest by {LIMIT_BATCH}, one client"
    lines.append(Line("append, 32 callers, one hot shard", tuple(ours["hot"]), "append, 32 callers", tuple(ours["32"])))
    lines.append(Line("append, 256 callers", tuple(ours["256"]), limit, tuple(peers["limit"])))
    return lines

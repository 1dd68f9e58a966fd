"""`make bench`: appends per second beside pgbench's single-row insert of the same bytes, in one run, with ratios.

Prints a table and writes var/bench/append.json. Machines are shared and noisy: read the ratios, not the figures.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import asyncpg
from rich.console import Console
from rich.progress import track
from rich.table import Table

from caselog.append import Appender
from caselog.outcomes import Append, Appended, NewFact
from deploy.local import roles
from deploy.local.postgres import OWNER, Postgres, binaries
from tests.databases import Databases

BODY: Final = b'{"note":"' + b"x" * 790 + b'"}'
SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
INSERT: Final = f"INSERT INTO peer (body) VALUES ('\\x{BODY.hex()}');\n"


async def _appends(databases: Databases, callers: int, label: str, *, hot: bool) -> float:
    end = time.perf_counter() + SECONDS
    done = 0

    async def caller(appender: Appender, number: int) -> None:
        nonlocal done
        step = 0
        while time.perf_counter() < end:
            name = f"{label}/{number}/{step}"
            stream = f"case:hot-{label}" if hot else f"case:{hashlib.sha256(name.encode()).hexdigest()[:26]}"
            identity = hashlib.sha256(name.encode()).digest()
            command = Append(stream, None, identity, identity, "citizen:x", None, b"{}", [NewFact("case.withdrawn", 1, BODY)])
            assert isinstance(await appender.append(command), Appended)
            step += 1
            done += 1

    started = time.perf_counter()
    async with databases.appender() as appender:
        await asyncio.gather(*(caller(appender, number) for number in range(callers)))
    return done / (time.perf_counter() - started)


def _pgbench(databases: Databases, directory: Path, clients: int) -> float:
    script = directory / "insert.sql"
    script.write_text(INSERT)
    done = subprocess.run(
        [
            str(binaries() / "pgbench"), "-n", "-M", "prepared", "-f", str(script), "-c", str(clients), "-j", "2",
            "-T", str(max(1, round(SECONDS))), "-h", "127.0.0.1", "-p", str(databases.server.port), "-U", OWNER,
            f"{databases.prefix}caselog",
        ],
        env=os.environ | {"PGPASSWORD": databases.server.owner_password}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("tps")]
    return float(line.split()[2])


async def measure(databases: Databases, directory: Path) -> dict[str, list[float]]:
    """Appends per second of each line, a value per round; the lines take turns, so that drift meets all alike."""
    connection: asyncpg.Connection = await databases.connect("caselog", OWNER)
    await connection.execute("CREATE TABLE peer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
    await connection.close()
    figures: dict[str, list[float]] = {}
    for round_ in track(range(ROUNDS), "measuring", console=Console(stderr=True)):
        for callers in (1, 8, 32):
            figures.setdefault(f"append, {callers} callers", []).append(
                await _appends(databases, callers, f"{round_}-{callers}", hot=False)
            )
        figures.setdefault("append, 32 callers, one hot shard", []).append(
            await _appends(databases, 32, f"{round_}-hot", hot=True)
        )
        for clients in (1, 8, 32):
            peer = await asyncio.to_thread(_pgbench, databases, directory, clients)
            figures.setdefault(f"pgbench insert, {clients} clients", []).append(peer)
    return figures


def report(figures: dict[str, list[float]]) -> None:
    """The table: median, spread and the ratio to the peer of as many clients."""
    table = Table("per second", "median", "min", "max", "ratio to pgbench", title=f"{len(BODY)} byte bodies, fsync on")
    for name, values in figures.items():
        callers = next(n for n in (" 32 ", " 8 ", " 1 ") if n in name).strip()
        peer = statistics.median(figures[f"pgbench insert, {callers} clients"])
        median = statistics.median(values)
        table.add_row(name, f"{median:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}", f"{median / peer:.2f}")
    Console().print(table)


async def _prepared(server: Postgres, directory: Path) -> Databases:
    databases = Databases(server, roles.passwords(directory / "roles.json"), "bench_")
    connection = await databases.connect("postgres", OWNER)
    await roles.ensure(connection, databases.passwords, prefix=databases.prefix)
    await connection.close()
    await databases.migrate()
    return databases


async def _measured(server: Postgres, directory: Path) -> dict[str, list[float]]:
    return await measure(await _prepared(server, directory), directory)


def main() -> None:
    """Start a cluster of its own, measure, report, remove it."""
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-bench-"))
    directory.chmod(0o755)
    server = Postgres(directory / "postgres")
    try:
        server.start()
        figures = asyncio.run(_measured(server, directory))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    report(figures)
    output = Path("var/bench/append.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"body_bytes": len(BODY), "seconds": SECONDS, "per_second": figures}, indent=1))


if __name__ == "__main__":
    main()

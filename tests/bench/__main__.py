"""`make bench`: one table, each line beside its limit or peer in the same run; JSON in var/bench/bench.json.

Machines are shared and noisy: read the ratios. BENCH_ROUNDS, BENCH_SECONDS and BENCH_FACTS shorten it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.local import roles
from deploy.local.postgres import OWNER, Postgres
from tests.bench import append, reading
from tests.bench.lines import Line
from tests.databases import Databases

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "3"))
FACTS: Final = int(os.environ.get("BENCH_FACTS", "1000000"))
OUTPUT: Final = Path("var/bench/bench.json")


async def _databases(server: Postgres, directory: Path, prefix: str) -> Databases:
    databases = Databases(server, roles.passwords(directory / "roles.json"), prefix)
    connection = await databases.connect("postgres", OWNER)
    await roles.ensure(connection, databases.passwords, prefix=databases.prefix)
    await connection.close()
    await databases.migrate()
    return databases


async def _measured(server: Postgres, directory: Path, console: Console) -> list[Line]:
    console.print(f"appends: {ROUNDS} rounds of {SECONDS:g} s each line")
    lines = await append.measure(await _databases(server, directory, "append_"), directory, ROUNDS, SECONDS)
    console.print(f"reading: a log of {FACTS:,} facts is filled first")
    return lines + await reading.measure(await _databases(server, directory, "read_"), ROUNDS, FACTS)


def main() -> None:
    """Start a cluster of its own, measure, print, remove it."""
    seed = random.randrange(1 << 32)
    random.seed(seed)
    console = Console(stderr=True)
    console.print(f"seed {seed}")
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-bench-"))
    directory.chmod(0o755)
    server = Postgres(directory / "postgres")
    try:
        server.start()
        lines = asyncio.run(_measured(server, directory, console))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    table = Table("figure", "median", "spread", "beside", "its median", "ratio", title="fsync on, bodies of 400 to 1,500 bytes")
    for line in lines:
        table.add_row(*line.cells())
    Console(width=170).print(table)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps([line.as_json() for line in lines], indent=1))


if __name__ == "__main__":
    main()

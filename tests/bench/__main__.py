"""`make bench`: one table, each line beside its limit or peer in the same run; the same as JSON in var/bench.json.

A whole run in the long form is kept in docs/benchmarks.json, and docs/benchmarks.md is made from it. Machines are shared and
noisy: read the ratios. `--short` runs every line once, briefly and over a small log: that it runs and prints, never how fast.
`--only PART` measures some of the parts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rich.console import Console

from deploy.local.postgres import Postgres
from deploy.local.subprocesses import StackError
from tests.bench import append, bus, http, memory, page, reading
from tests.bench.harness import FAILURES, Bench, Measure
from tests.bench.lines import Line, table
from tests.bench.runs import RUN, Result, Run, commit, machine, now
from tests.bench.samples import NoFigure, attempted
from tests.conftest import ROOT

OUTPUT: Final = Path("var/bench.json")


PARTS: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "append": append.measure,
        "bus": bus.measure,
        "http": http.measure,
        "reading": reading.measure,
        "memory": memory.measure,
    }
)
"""The parts of the bench in the order of the table; each is measured on a cluster that nobody else uses meanwhile."""
LONG_ONLY: Final = {"memory"}
"""Left out of the short form unless they are named: a whole house starts for them, and nothing about them is quick."""


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true", help="every line once, briefly, over a small log")
    parser.add_argument("--rounds", type=int, help="rounds of each line (5; short: 1)")
    parser.add_argument("--seconds", type=float, help="seconds of a round (3; short: 0.3)")
    parser.add_argument("--facts", type=int, help="facts in the large log (1,000,000; short: 4,000)")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"where the JSON goes ({OUTPUT})")
    parser.add_argument("--record", action="store_true", help=f"keep also a short or partial run in {page.JSON} and {page.PAGE}")
    asked = parser.parse_args(arguments)
    asked.record = asked.record or not (asked.short or asked.only or asked.rounds or asked.seconds or asked.facts)
    asked.only = asked.only or [name for name in PARTS if not (asked.short and name in LONG_ONLY)]
    asked.rounds = asked.rounds or (1 if asked.short else 5)
    asked.seconds = asked.seconds or (0.3 if asked.short else 3.0)
    asked.facts = asked.facts or (4_000 if asked.short else 1_000_000)
    return asked


async def measured(bench: Bench, parts: Sequence[str]) -> list[Line]:
    """The lines of these parts, in the order of the table."""
    lines: list[Line] = []
    for name in PARTS:
        if name in parts:
            bench.say(f"{name}: {bench.rounds} rounds of {bench.seconds:g} s, a log of {bench.facts:,} facts")
            # What a part stands on may fail too; the figures of the others are not lost for it.
            lines += await attempted(PARTS[name](bench), FAILURES, partial(_not_measured, name))
    return lines


async def measured_briefly(bench: Bench, parts: Sequence[str]) -> list[Line]:
    """The same over one house for all parts: that it runs is all that the short form shows."""
    async with AsyncExitStack() as kept:
        return await measured(replace(bench, kept=kept), parts)


def _not_measured(part: str, why: NoFigure) -> list[Line]:
    return [Line(part, f"{part}, the whole part", (why,), "-", ())]


def exit_code(lines: Sequence[Line]) -> int:
    """0 when every figure of ours is there; a peer that gave nothing is said in the table, and is no failure of ours."""
    return 1 if any(line.median is None for line in lines) else 0


def _run(asked: argparse.Namespace, lines: Sequence[Line], bench: Bench, seed: int) -> Run:
    parts = tuple(name for name in PARTS if name in asked.only)
    source = "`make bench`" if len(parts) == len(PARTS) else f"`make bench` of {', '.join(parts)}"
    return Run(
        at=now(), commit=commit(ROOT, (str(page.JSON), str(page.PAGE))), source=source, machine=machine(), short=asked.short,
        rounds=asked.rounds, seconds=asked.seconds, facts=asked.facts, parts=parts,
        took_seconds=round(time.perf_counter() - bench.began, 1), seed=seed, results=tuple(map(Result.of, lines)),
        notes=tuple(bench.notes),
    )  # fmt: skip


def _interruptible() -> None:
    """Ctrl-C and SIGTERM end the run in order; a shell starts what runs in the background with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # By way of Ctrl-C, which asyncio makes a cancellation: raised in the middle of a callback it may leave a connection stuck.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))


def main(arguments: Sequence[str]) -> int:
    """Start a cluster of its own, measure, print, remove it; 1 when a figure of ours is missing, 130 when it was interrupted."""
    asked = _asked(arguments)
    seed = random.randrange(1 << 32)
    random.seed(seed)
    console = Console(stderr=True)
    _interruptible()
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-bench-"))
    server = Postgres(directory / "postgres")
    try:
        server.start()
        bench = Bench(server, directory, asked.rounds, asked.seconds, asked.facts, console)
        bench.say(f"seed {seed}")
        lines = asyncio.run(measured_briefly(bench, asked.only) if asked.short else measured(bench, asked.only))
    except StackError as error:
        console.print(f"nothing was measured: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted: nothing was measured to its end")
        return 130
    finally:
        server.discard()
        shutil.rmtree(directory, ignore_errors=True)
    title = f"fsync on, bodies of 400 to 1,500 bytes, {os.cpu_count()} cores, {asked.rounds} rounds"
    Console(width=230).print(table(lines, title))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    run = _run(asked, lines, bench, seed)
    asked.output.write_bytes(RUN.dump_json(run, indent=1) + b"\n")
    if asked.record:
        page.record(ROOT, run)
        console.print(f"kept in {page.JSON}, and {page.PAGE} made from it: commit both")
    return exit_code(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

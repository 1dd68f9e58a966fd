"""`make bench`: one table, each line beside its limit or peer in the same run; the same as JSON in var/bench.json.

A whole run in the long form is kept in docs/benchmarks.json, and docs/benchmarks.md is made from it. Machines are shared and
noisy: read the ratios. `--short` runs every line once, briefly and over a small log: that it runs and prints, never how fast.
`--only PART` measures some of the parts.
"""

from __future__ import annotations

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
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer
from rich.console import Console

from deploy.local.postgres import Postgres
from deploy.local.subprocesses import StackError
from schemas.command_line import CommandLine, Version, run
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


Part = StrEnum("Part", list(PARTS))  # type: ignore[misc]  # the names stand once, in PARTS


@dataclass(frozen=True)
class Asked:
    """What a run measures, and for how long."""

    short: bool
    rounds: int
    seconds: float
    facts: int
    parts: tuple[str, ...]
    output: Path
    record: bool


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


def _run(asked: Asked, lines: Sequence[Line], bench: Bench, seed: int, head: str) -> Run:
    source = "`make bench`" if len(asked.parts) == len(PARTS) else f"`make bench` of {', '.join(asked.parts)}"
    return Run(
        at=now(), commit=head, source=source, machine=machine(), short=asked.short, rounds=asked.rounds, seconds=asked.seconds,
        facts=asked.facts, parts=asked.parts, took_seconds=round(time.perf_counter() - bench.began, 1), seed=seed,
        results=tuple(map(Result.of, lines)), notes=tuple(bench.notes),
    )  # fmt: skip


def _interruptible() -> None:
    """Ctrl-C and SIGTERM end the run in order; a shell starts what runs in the background with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # By way of Ctrl-C, which asyncio makes a cancellation: raised in the middle of a callback it may leave a connection stuck.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))


def _measure_all(asked: Asked, console: Console) -> int:
    """Start a cluster of its own, measure, print, remove it; the exit code."""
    seed, head = random.randrange(1 << 32), commit(ROOT, (str(page.JSON), str(page.PAGE)))
    random.seed(seed)
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-bench-"))
    server = Postgres(directory / "postgres")
    try:
        server.start()
        bench = Bench(server, directory, asked.rounds, asked.seconds, asked.facts, console)
        bench.say(f"seed {seed}")
        lines = asyncio.run(measured_briefly(bench, asked.parts) if asked.short else measured(bench, asked.parts))
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
    keep(asked, _run(asked, lines, bench, seed, head), exit_code(lines), console, ROOT)
    return exit_code(lines)


def keep(asked: Asked, run: Run, code: int, console: Console, root: Path) -> None:
    """Write the JSON, and put the run on the page where it belongs there: never one in which a figure of ours is missing."""
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_bytes(RUN.dump_json(run, indent=1) + b"\n")
    if asked.record and code:
        console.print(f"not kept in {page.JSON}: a figure of ours is missing")
    elif asked.record:
        page.record(root, run)
        console.print(f"kept in {page.JSON}, and {page.PAGE} made from it: commit both")


app = CommandLine()


@app.command()
def bench(
    short: Annotated[bool, typer.Option("--short", help="Every line once, briefly, over a small log.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Of each line (5; short: 1).")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.01, help="Of a round (3; short: 0.3).")] = None,
    facts: Annotated[int | None, typer.Option(min=100, help="In the large log (1,000,000; short: 4,000).")] = None,
    only: Annotated[list[Part] | None, typer.Option(help="The parts to measure.")] = None,
    output: Annotated[Path, typer.Option(help="Where the JSON goes.")] = OUTPUT,
    record: Annotated[bool, typer.Option("--record", help="Keep also a short or partial run in docs/benchmarks.")] = False,
    _: Version = False,
) -> int:
    """Measure what it costs, each figure beside its limit or peer in the same run.

    A whole run in the long form is kept in docs/benchmarks.json, from which docs/benchmarks.md is made. Exit code 1: a figure of
    ours is missing. 130: stopped by Ctrl-C.
    """
    parts = tuple(name for name in PARTS if (name in only if only else not (short and name in LONG_ONLY)))
    asked = Asked(
        short=short, rounds=rounds or (1 if short else 5), seconds=seconds or (0.3 if short else 3.0),
        facts=facts or (4_000 if short else 1_000_000), parts=parts, output=output,
        record=record or not (short or only or rounds or seconds or facts),
    )  # fmt: skip
    _interruptible()
    return _measure_all(asked, Console(stderr=True))


def main(arguments: Sequence[str]) -> int:
    """The exit code of one run."""
    return run(app, "python -m tests.bench", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The memory of the whole house that `make run` starts, beside what PostgreSQL and Kafka of the same house take.

PSS and not RSS: what processes share (code, libraries, what was there before a fork) is counted once in all, not once for each.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.kafka import class_cache, jars
from deploy.local.processes import PROCESSES
from deploy.local.subprocesses import listening, tail
from tests.bench.harness import FAILURES, Bench
from tests.bench.lines import Line
from tests.bench.samples import NothingMeasured, Sample, attempted, checked
from tests.conftest import ROOT

READY: Final = b"ready; Ctrl-C"
"""What the supervisor says when every door is open."""
START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 60.0
BLOCKS: Final = range(10_000, 20_000, 500)
"""First ports of a house; those of the tests begin above."""
PORTS: Final = (92, 432, *(process.place for process in PROCESSES))
"""Counted from the first: Kafka, PostgreSQL and our own."""
POLL_SECONDS: Final = 0.05
BETWEEN_SECONDS: Final = 2.0
OURS: Final = "ours"
MB: Final = 1_000_000


@dataclass(frozen=True)
class Share:
    """What some of the processes of a house take together."""

    processes: int
    pss: int
    """Bytes."""

    def __str__(self) -> str:
        return f"{self.pss / MB:,.0f} MB in {self.processes}"


def shares(pid: int) -> dict[str, Share]:
    """Of the process `pid` and all its descendants: "ours", "PostgreSQL" and "Kafka".

    Raises NothingMeasured when this system does not say, or the process has ended.
    """
    found: dict[str, Share] = {}
    for each in _descendants(pid):
        try:
            kind, taken = _kind(each), _pss(each)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        except PermissionError as error:
            raise NothingMeasured(f"the memory of a process cannot be read: {error.filename}") from None
        before = found.get(kind, Share(0, 0))
        found[kind] = Share(before.processes + 1, before.pss + taken)
    if not found:
        raise NothingMeasured("no process of the house says what memory it takes; is this Linux?")
    return found


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it ended meanwhile
    found = [pid]
    for each in found:  # grows while it is read
        found += [child for child, parent in parents.items() if parent == each]
    return found


def _pss(pid: int) -> int:
    said = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    if said is None:
        raise ProcessLookupError(pid)
    return int(said[1]) * 1024


def _kind(pid: int) -> str:
    program = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
    name = Path(program.split(": ")[0]).name  # PostgreSQL's children call themselves "postgres: checkpointer"
    return {"postgres": "PostgreSQL", "java": "Kafka"}.get(name, OURS)


@asynccontextmanager
async def house(directory: Path, root: Path = ROOT) -> AsyncIterator[int]:
    """The house of the checkout `root`, its data in `directory`: the supervisor's process id, when every door is open."""
    log = await asyncio.to_thread(_prepare, directory)
    environment = os.environ | {"PARVANDEH_VAR": str(directory), "PARVANDEH_PORTS": str(_block())}
    with log.open("wb") as out:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deploy.local", "run", cwd=root, env=environment, stdout=out, stderr=out
        )
    try:
        await _ready(child, log)
        yield child.pid
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await child.wait()
        except TimeoutError:
            child.kill()  # what it started ends with it
            await child.wait()


def _prepare(directory: Path) -> Path:
    """The directory of a house, with jars that it need not fetch and Java's cache of them, as at a second start; its log."""
    directory.mkdir()
    provided = jars.provide(ROOT / "var" / "kafka-jars")
    class_cache.provide(provided)  # the house would make it when it is ready, in a Java of its own that is counted too
    (directory / "kafka-jars").symlink_to(provided)
    log = directory / "run.log"
    log.touch()
    return log


async def _ready(child: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while READY not in await asyncio.to_thread(log.read_bytes):
                if child.returncode is not None:
                    raise NothingMeasured(f"the house ended at its start: {tail(log, 1)}")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise NothingMeasured(f"the house was not ready after {START_SECONDS:.0f} s: {tail(log, 1)}") from None


def _block() -> int:
    """The first of a block of ports on which nobody listens."""
    for first in BLOCKS:
        if not any(listening(first + port) for port in PORTS):
            return first
    raise NothingMeasured(f"no block of ports is free from {BLOCKS.start} to {BLOCKS.stop}")


async def measure(bench: Bench) -> list[Line]:
    """One line: the whole house, beside its two servers, looked at some times: what it holds open settles after the start."""
    bench.say("memory: the house starts as `make run` starts it")
    looks = await attempted(_looked(bench), FAILURES, lambda why: [(why, why)])
    ours, servers = (tuple(each) for each in zip(*looks, strict=True))
    return [Line("memory", "memory of the whole local house, PSS", ours, "PostgreSQL and Kafka of the same house", servers, "MB")]


async def _looked(bench: Bench) -> list[tuple[Sample, Sample]]:
    looks: list[tuple[Sample, Sample]] = []
    async with house(bench.directory / "house") as pid:
        for _ in range(bench.rounds):
            await asyncio.sleep(BETWEEN_SECONDS)  # between two samples of what changes by itself; nothing is waited for
            found = shares(pid)
            servers = sum(share.pss for name, share in found.items() if name != OURS)
            whole = sum(share.pss for share in found.values())
            looks.append((checked(whole / MB, "the house"), checked(servers / MB, "PostgreSQL and Kafka")))
    bench.note(f"memory: at the end {', '.join(f'{name} {share}' for name, share in sorted(found.items()))} processes")
    return looks

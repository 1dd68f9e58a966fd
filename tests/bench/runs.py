"""One run of the bench as JSON: its figures, and all that must be known to read them (commit, date, machine, length)."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from deploy.local.postgres_account import programs_of_the_wheel
from tests.bench.lines import Aim, Line, numbers

GIB: Final = 1024**3
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Machine:
    """Where a run was made; never its name, which says nothing to a reader and is nobody's business."""

    cores: int
    memory_gib: float | None
    processor: str
    system: str
    python: str
    postgresql: str


@dataclass(frozen=True)
class Result:
    """What a line of the table came to; None where nothing was measured, and `missing` says why."""

    key: str
    name: str
    unit: str
    median: float | None
    values: tuple[float, ...]
    """Of the rounds that gave a figure; empty where only the median is known."""
    peer: str
    peer_median: float | None
    peer_values: tuple[float, ...]
    ratio: float | None
    aim: Aim
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, line: Line) -> Result:
        """A measured line."""
        return cls(
            line.key, line.name, line.unit, line.median, numbers(line.values), line.peer_name, line.peer_median,
            numbers(line.peer), line.ratio, line.aim, line.missing,
        )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run of the bench, or a column of figures that was typed in from an older document."""

    at: str
    """ISO 8601, UTC; a date alone where no more is known."""
    commit: str
    source: str
    """What made the entry: the command, or the document from which it was typed in."""
    machine: Machine
    short: bool
    rounds: int
    seconds: float
    """Of a round of a line."""
    facts: int
    parts: tuple[str, ...]
    took_seconds: float | None
    seed: int | None
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()


RUN: Final = TypeAdapter(Run)
RUNS: Final = TypeAdapter(list[Run])


def machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=_memory_gib(),
        processor=_first("/proc/cpuinfo", r"^model name\s*:\s*(.+)$") or platform.processor() or platform.machine(),
        system=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, {platform.machine()}",
        python=platform.python_version(),
        postgresql=_postgresql(),
    )


def _postgresql() -> str:
    said = subprocess.run(
        [str(programs_of_the_wheel() / "postgres"), "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"\d[\d.]*", said)
    return found[0] if found else _UNKNOWN


def _memory_gib() -> float | None:
    kib = _first("/proc/meminfo", r"^MemTotal:\s*(\d+) kB$")
    return round(int(kib) * 1024 / GIB, 1) if kib else None


def _first(path: str, pattern: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text(errors="replace"), re.MULTILINE)
    except OSError:  # a system without /proc
        return None
    return " ".join(found[1].split()) if found else None


def commit(root: Path, ignoring: Sequence[str] = ()) -> str:
    """The commit of the checkout, "with changes" when something beside `ignoring` is changed; "unknown" outside of git."""
    try:
        head = _git(root, "rev-parse", "--short=7", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{path}" for path in ignoring))
    except (OSError, subprocess.CalledProcessError):
        return _UNKNOWN
    return f"{head} with changes" if changed.strip() else head


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def now() -> str:
    """The time of a run."""
    return datetime.now(UTC).isoformat(timespec="seconds")

"""pgbench as a peer: single-row inserts of the same bytes, by a counted number of transactions.

Counted and not timed: with `-T 1` on a busy machine the logins of 32 clients outlast the second, and pgbench prints no rate.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.bench.samples import NoFigure, Sample, checked

EXPECTED: Final[Mapping[int, int]] = MappingProxyType({1: 5_000, 8: 16_000, 32: 20_000})
"""Inserts a second by so many clients on a machine of two cores: only so that a round lasts about as long as the others."""
DEADLINE_SECONDS: Final = 120.0
"""Beside the round itself, for a machine that does much else."""


@dataclass(frozen=True)
class Pgbench:
    """The program, what it runs, and against which database (asyncpg's connection arguments)."""

    program: Path
    script: Path
    database: Mapping[str, Any]

    def inserts(self, clients: int, seconds: float, deadline: float = DEADLINE_SECONDS) -> Sample:
        """Transactions a second, without the logins, over about `seconds`; in words when pgbench gave no rate."""
        who, each = f"pgbench, {clients} clients", max(1, round(EXPECTED[clients] * seconds / clients))
        command = [
            str(self.program), "-n", "-M", "prepared", "-f", str(self.script), "-c", str(clients), "-j", str(min(2, clients)),
            "-t", str(each), "-h", str(self.database["host"]), "-p", str(self.database["port"]), "-U", str(self.database["user"]),
            str(self.database["database"]),
        ]  # fmt: skip
        environment = os.environ | {"PGPASSWORD": str(self.database["password"])}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, errors="replace", check=False,
                timeout=seconds + deadline,
            )  # fmt: skip
        except OSError as error:
            return NoFigure(f"{who}: it could not be started: {error.strerror}")
        except subprocess.TimeoutExpired:
            return NoFigure(f"{who}: not done after {seconds + deadline:.0f} s")
        if done.returncode != 0:
            return NoFigure(f"{who}: it ended with code {done.returncode}: {_last(done.stderr)}")
        return _rate(done.stdout, who)


def _rate(printed: str, who: str) -> Sample:
    """The rate of the line `tps = 123.4 (without initial connection time)`, which pgbench leaves out when nothing was done."""
    for line in printed.splitlines():
        words = line.split()
        if words[:2] == ["tps", "="] and line.endswith(")"):  # up to its end: half a number is a number too
            try:
                return checked(float(words[2]), who)
            except (ValueError, IndexError):
                break
    return NoFigure(f"{who}: it printed no rate; its last line: {_last(printed)}")


def _last(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing at all"

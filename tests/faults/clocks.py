"""A process whose clock is wrong, and is turned while it runs: its time of day only, by a preloaded library.

Nothing of the machine's own clock is touched. Needs a C compiler; where there is none, the test says so and is skipped.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Clock:
    """The clock of every process that is started with `environment`."""

    library: Path
    shift: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "CLOCK_SHIFT": str(self.shift)}

    def turn(self, hours: float) -> None:
        """So many hours before (negative) or after the true time from now on, also in processes that run."""
        with self.shift.open("r+b") as file:
            file.write(struct.pack("=q", int(hours * 3600)))


def wrong_clock(directory: Path) -> Clock:
    """A clock that is right until it is turned; `directory` must be readable for the processes that get it."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("no clock was turned: there is no C compiler")
        pytest.skip("a process with a wrong clock needs a C compiler, and there is none")
    library, shift = directory / "clock.so", directory / "clock.shift"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    shift.write_bytes(bytes(8))
    return Clock(library, shift)

"""Planted runs that are ended leave no server, no test and no process of a test behind."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.subprocesses import start, wait_until
from tests.conftest import ROOT
from tests.stack.test_endings import began_at, family

WAITS = ROOT / "tests/oracle/planted/who_left_before_the_draw_keeps_the_case.patch"
"""Its test starts a witness and then waits for what never comes."""


def command_lines(processes: Iterable[int]) -> str:
    found = []
    for pid in processes:
        with suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return "\n".join(found)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_planted_runs_that_are_ended_leave_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with (tmp_path / "log").open("wb") as log:
        runs: subprocess.Popen[bytes] = start([sys.executable, "-m", "tests.oracle.planted_runs", str(WAITS)], log)
    wait_until(
        lambda: runs.poll() is not None or "deploy.witness" in command_lines(family(runs.pid)), 100, "a planted run at work"
    )
    assert runs.poll() is None, (tmp_path / "log").read_text()
    processes = family(runs.pid)
    place = re.search(r"\S+/parvandeh-planted-[^/]+", command_lines(processes))
    assert place is not None
    assert len(processes) > 4  # itself, the run, its witness, the server with its own
    runs.send_signal(how)
    runs.wait(45)
    wait_until(lambda: not any(began_at(pid) == began for pid, began in processes.items()), 20, "the end of all of them")
    assert how == signal.SIGKILL or not Path(place.group()).exists()
    shutil.rmtree(place.group(), ignore_errors=True)

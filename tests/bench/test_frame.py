"""The frame of the bench: what a line says, and that a run which is broken off leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.children import wait_until
from tests.bench.lines import Line
from tests.conftest import ROOT


def test_a_ratio_is_taken_round_by_round_so_that_drift_meets_both_alike() -> None:
    drifting = Line("figure", (100.0, 10.0, 40.0), "peer", (50.0, 5.0, 20.0))
    assert drifting.ratio == 2.0
    assert drifting.median == 40.0
    assert drifting.cells()[1:3] == ("40 /s", "10 to 100")


def test_a_peer_of_other_rounds_is_compared_by_its_median() -> None:
    line = Line("figure", (30.0,), "peer", (10.0, 20.0, 5.0), must=">= 2x")
    assert line.ratio == 3.0
    assert line.as_json() | {"median": 30.0, "peer_median": 10.0, "must": ">= 2x"} == line.as_json()
    assert line.cells()[-1] == ">= 2x"


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's own user can reach; pytest's is closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_broken_off_leaves_no_process_and_no_file(how: signal.Signals, open_directory: Path) -> None:
    told, output = open_directory / "told", open_directory / "bench.json"
    with told.open("w") as stderr:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.bench", "--short", "--output", str(output)],
            cwd=ROOT, stderr=stderr, env={**os.environ, "TMPDIR": str(open_directory)},
        )  # fmt: skip
    wait_until(lambda: run.poll() is not None or "append: 1 rounds" in told.read_text(), 60, "the first line of progress")
    assert run.poll() is None, told.read_text()
    assert _holding(open_directory) != []  # PostgreSQL at least: the look would find what was left
    run.send_signal(how)
    assert run.wait(timeout=30) == 130
    assert _holding(open_directory) == []
    assert not list(open_directory.glob("parvandeh-bench-*"))
    assert not output.exists()


def _holding(directory: Path) -> list[str]:
    """The commands of running processes that name a file in `directory`, without the bench itself."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(directory) in command and "tests.bench" not in command:
            found.append(command)
    return found

"""Nothing outlives who started it: tests that are ended, by SIGTERM or by SIGKILL, leave no server and no house behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.local.subprocesses import start, wait_until
from tests.conftest import ROOT

TESTS: Final = """
from pathlib import Path
from tests.journeys.stack import Stack

def test_that_is_ended_while_a_house_stands(postgres):
    stack = Stack()
    Path(__file__).with_name("places").write_text(f"{stack.var} {postgres.directory}")
    try:
        stack.start()
        raise AssertionError("it is ended before")
    finally:
        stack.stop()
"""
"""Tests as ours are: a server of the session, and a house, each in a directory of its own."""
AT_WORK: Final = "our own processes start"
"""The house says so when its servers stand: what is struck is a house of three generations of processes."""


def family(pid: int) -> dict[int, str]:
    """Every descendant of a process and the process itself, each with the moment of its start: numbers are used again."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        if began := began_at(each):
            found[each] = began
            children = Path(f"/proc/{each}/task").glob("*/children")
            waiting += [int(child) for path in children for child in path.read_text().split()]
    return found


def began_at(pid: int) -> str:
    """When a process that lives began, in the kernel's ticks; nothing where there is none, or only its exit code."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


def standing(tmp_path: Path) -> subprocess.Popen[bytes]:
    """Tests in a process of their own, with a house at work."""
    (tmp_path / "test_ended.py").write_text(TESTS)
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as what ends in `&` is started
    command += [sys.executable, "-m", "pytest", "-q", "-s", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), str(tmp_path / "test_ended.py")]
    with (tmp_path / "log").open("wb") as log:
        tests = start(command, log, environment=os.environ, end=signal.SIGTERM)
    wait_until(lambda: tests.poll() is not None or AT_WORK in said(tmp_path), 120, "a house at work")
    assert tests.poll() is None, (tmp_path / "log").read_text() + said(tmp_path)
    return tests


def said(tmp_path: Path) -> str:
    """What the house said so far."""
    log = Path(places(tmp_path)[0]) / "run.log"
    return log.read_text() if log.exists() else ""


def places(tmp_path: Path) -> list[str]:
    """The directories of the house and of the session's server."""
    written = tmp_path / "places"
    return (written.read_text() if written.exists() else "").split() or ["/nowhere"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_tests_that_are_ended_leave_no_process(tmp_path: Path, how: signal.Signals) -> None:
    tests = standing(tmp_path)
    descendants = family(tests.pid)
    assert len(descendants) > 10, "two servers of PostgreSQL, one of Kafka, a supervisor"
    tests.send_signal(how)
    code = tests.wait(120)

    def left() -> dict[int, str]:
        return {pid: began for pid, began in descendants.items() if began_at(pid) == began}

    wait_until(lambda: not left(), 60, f"the end of {len(left())} processes of {len(descendants)}")
    if how == signal.SIGTERM:  # as after Ctrl-C: said, and nothing of it stays on the disk
        assert code == pytest.ExitCode.INTERRUPTED
        assert [place for place in places(tmp_path) if Path(place).exists()] == []

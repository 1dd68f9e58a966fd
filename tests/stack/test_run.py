"""`make run`: it comes up, says where, stops cleanly, continues, and says clearly why it cannot start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from deploy.kafka.broker import Broker
from deploy.local.postgres import OWNER
from deploy.local.processes import kafka_port, postgres_port
from deploy.local.subprocesses import wait_until
from tests.conftest import ROOT


@pytest.fixture
def var(stack_directory: Path, broker: Broker) -> Path:
    directory = stack_directory / "run"
    directory.mkdir(exist_ok=True)
    if not (directory / "kafka-jars").exists():
        (directory / "kafka-jars").symlink_to(ROOT / "var" / "kafka-jars")
    return directory


def _run(var: Path, output: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with output.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.local", *(arguments or ("run",))],
            cwd=ROOT,
            env=os.environ | {"PARVANDEH_VAR": str(var)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_in_the_background,
        )


def _in_the_background() -> None:
    """As a shell starts what ends in `&`: Ctrl-C is ignored unless it is asked for again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _says(output: Path, words: str, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: words in output.read_text() or process.poll() is not None, 60, f"`{words}` in its output")
    assert words in output.read_text(), output.read_text()


def _left_running(var: Path) -> list[str]:
    listing = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(var / "postgres") in line or str(var / "kafka" / "server") in line]


@pytest.mark.parametrize("stop_with", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_verifies_stops_and_leaves_no_process(var: Path, tmp_path: Path, stop_with: signal.Signals) -> None:
    output = tmp_path / "run.log"
    process = _run(var, output)
    try:
        _says(output, "ready; Ctrl-C", process)
        assert _left_running(var), "the servers run while it is up"
        verify = _run(var, tmp_path / "verify.log", "verify")
        assert verify.wait(30) == 0, (tmp_path / "verify.log").read_text()
        second = _run(var, tmp_path / "second.log")
        assert second.wait(30) == 1
        assert "another `make run` already uses" in (tmp_path / "second.log").read_text()
    finally:
        process.send_signal(stop_with)
        code = process.wait(10)
    assert (code, _left_running(var)) == (0, [])


def test_a_killed_child_is_started_again(var: Path, tmp_path: Path) -> None:
    output = tmp_path / "run.log"
    process = _run(var, output)
    try:
        _says(output, "ready; Ctrl-C", process)
        subprocess.run(["pkill", "-KILL", "-f", str(var / "kafka" / "server.properties")], check=True)
        _says(output, "Kafka is back", process)
    finally:
        process.terminate()
        code = process.wait(10)
    assert (code, _left_running(var)) == (0, [])


async def _as_of_another_version(var: Path) -> None:
    """As older versions of review and of audit would have left the checkpoints of a reader of theirs."""
    password = (var / "postgres" / "owner.password").read_text().strip()
    for service, reader in (("review", "agenda"), ("audit", "cases")):
        own = await asyncpg.connect(host="127.0.0.1", port=postgres_port(), user=OWNER, password=password, database=service)
        assert await own.execute("UPDATE checkpoints SET version = version - 1 WHERE reader = $1", reader) == "UPDATE 64"
        await own.close()


def test_kill_minus_nine_leaves_no_process_and_the_next_start_goes_on_also_with_rows_of_another_version(
    var: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run.log"
    process = _run(var, output)
    _says(output, "ready; Ctrl-C", process)
    asyncio.run(_as_of_another_version(var))
    process.kill()
    process.wait()
    wait_until(lambda: not _left_running(var), 10, "the end of the children")
    again = _run(var, output)
    try:
        _says(output, "ready; Ctrl-C", again)
        for service, reader in (("review", "agenda"), ("audit", "cases")):
            assert f"{service} is newer than its rows: rebuilding them from the log" in output.read_text()
            assert f"{service} {reader}: rebuilt" in output.read_text()
    finally:
        again.terminate()
        assert again.wait(10) == 0


@pytest.mark.parametrize("port_of", [postgres_port, kafka_port])
def test_a_taken_port_is_said_and_nothing_is_left(var: Path, tmp_path: Path, port_of: Callable[[], int]) -> None:
    port = port_of()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        output = tmp_path / "run.log"
        assert _run(var, output).wait(30) == 1
    assert f"port {port}" in output.read_text()
    assert "Traceback" not in output.read_text()
    assert _left_running(var) == []


def test_a_first_start_that_was_stopped_half_way_is_made_anew(var: Path, tmp_path: Path) -> None:
    half = var / "postgres"
    if (half / "initdb.done").exists():
        (half / "initdb.done").unlink()
    (half / "data").mkdir(parents=True, exist_ok=True)
    (half / "data" / "rubbish").write_text("half")
    output = tmp_path / "run.log"
    process = _run(var, output)
    try:
        _says(output, "ready; Ctrl-C", process)
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_reset_without_a_yes_touches_nothing(var: Path, tmp_path: Path) -> None:
    output = tmp_path / "reset.log"
    (var / "kept").write_text("a case")
    assert _run(var, output, "reset").wait(10) == 1
    assert (var / "kept").exists()
    assert "Traceback" not in output.read_text()

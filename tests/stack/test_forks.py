"""Processes forked from one that has imported everything: each is told its own things only, and is watched as a child is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import fork_server
from deploy.local.fork_server import Order
from deploy.local.forks import Fork, Forks
from deploy.local.process_supervision import Services
from deploy.local.subprocesses import wait_until
from tests.stack.memory import holds

SAID_SECONDS = 60
"""The first one waits until the fork server has imported the house."""


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks({"PATH": os.environ["PATH"], "LEFT_OVER": "of the fork server"})
    yield made
    made.close()


def forked(forks: Forks, output: Path, *arguments: str, name: str = "told", **environment: str) -> Fork:
    with output.open("wb") as file:
        order = Order(name, "tests.stack.told", list(arguments), environment)
        return forks.spawn(order, output=file.fileno(), errors=file.fileno())


def said(output: Path) -> Any:
    wait_until(lambda: output.read_text().endswith("\n"), SAID_SECONDS, "its line")
    return json.loads(output.read_text())


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_fork_is_told_its_own_environment_and_inherits_nothing_of_the_fork_server(forks: Forks, tmp_path: Path) -> None:
    fork = forked(forks, tmp_path / "said", "0", ONLY="this")
    assert said(tmp_path / "said") == {
        "argv": [str(Path(__file__).with_name("told.py")), "0"],
        "environment": {"ONLY": "this"},
        "descriptors": [0, 1, 2],
        "session": True,
        "threads": 1,
        "children": True,
    }
    assert fork.wait(10) == 0


def test_it_ends_with_its_exit_code_or_its_signal_and_can_be_waited_for(forks: Forks, tmp_path: Path) -> None:
    assert forked(forks, tmp_path / "said", "3").wait(SAID_SECONDS) == 3
    stays = forked(forks, tmp_path / "stays")
    said(tmp_path / "stays")
    with pytest.raises(subprocess.TimeoutExpired):
        stays.wait(0.01)
    assert stays.poll() is None
    stays.send_signal(signal.SIGTERM)
    assert stays.wait(10) == -signal.SIGTERM
    assert gone(stays.pid)
    stays.kill()  # its number may be another process' by now: nothing is sent


def test_ps_tells_the_forks_apart(forks: Forks, tmp_path: Path) -> None:
    stays = forked(forks, tmp_path / "stays", name="review-agenda")
    said(tmp_path / "stays")
    shown = subprocess.run(["ps", "-ww", "-o", "comm=,args=", "-p", str(stays.pid)], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["review-agenda", "python", "-m", "tests.stack.told"]
    stays.kill()
    assert stays.wait(10) == -signal.SIGKILL


def test_what_one_fork_is_told_is_in_no_other_memory(forks: Forks, tmp_path: Path) -> None:
    secrets = {name: f"secret of {name} {os.urandom(16).hex()}" for name in ("first", "second")}
    told = {}
    for name, secret in secrets.items():
        told[name] = forked(forks, tmp_path / name, SECRET=secret)
        assert said(tmp_path / name)["environment"] == {"SECRET": secret}
    found = {(name, of): holds(fork.pid, secret) for name, fork in told.items() for of, secret in secrets.items()}
    server = {of: holds(forks.pid, secret) for of, secret in secrets.items()}
    for fork in told.values():
        fork.kill()
    assert found == {("first", "first"): True, ("first", "second"): False, ("second", "first"): False, ("second", "second"): True}
    assert server == {"first": False, "second": False}


def test_the_fork_server_has_one_thread_and_refuses_to_fork_with_two(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forked(forks, tmp_path / "said", "0").wait(SAID_SECONDS) == 0
    assert len(list(Path(f"/proc/{forks.pid}/task").iterdir())) == 1, "also of those that Python knows nothing of"
    monkeypatch.setattr(fork_server, "MIGRATIONS", ())
    monkeypatch.setattr(fork_server, "PROCESSES", ())
    end = threading.Event()
    threading.Thread(target=end.wait).start()
    with pytest.raises(SystemExit, match="starts a thread when it is imported"):
        fork_server.preload()
    end.set()


def test_kill_minus_nine_of_the_fork_server_ends_every_fork_and_a_new_one_is_made(tmp_path: Path) -> None:
    house = Services(tmp_path, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, {}, lambda _: {}, lambda _: None)
    struck = house.forks
    stays = forked(struck, tmp_path / "stays")
    said(tmp_path / "stays")
    os.kill(struck.pid, signal.SIGKILL)
    assert stays.wait(10) == -signal.SIGKILL
    wait_until(lambda: gone(stays.pid), 10, "the end of the fork")
    assert forked(struck, tmp_path / "late", "0").poll() == -signal.SIGKILL, "who orders then gets one that has ended"
    assert house.forks is not struck
    assert forked(house.forks, tmp_path / "anew", "0").wait(SAID_SECONDS) == 0
    house.stop()
    assert gone(stays.pid)

"""Child processes that never outlive their parent, and waiting for them with a deadline."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

_PR_SET_PDEATHSIG: Final = 1
POLL_SECONDS: Final = 0.02
_KILL_SECONDS: Final = 10.0
"""Until the kernel has ended what was killed."""


class StackError(Exception):
    """The stack cannot start or continue; the message says why and what to do."""


def die_with_parent(how: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """What a child does before exec, so that kill -9 of us leaves nothing behind: the kernel sends it `how` when we end.

    "We" are the thread that starts the child: it must live as long as the child does. None where there is no such call.
    """
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, how)
        if os.getppid() != parent:  # it ended between the fork and the call, so no signal will come
            os.kill(os.getpid(), how)

    return ask


def end_with_starter() -> None:
    """From now on SIGTERM comes to us when the process that started us ends, however it ends.

    `getppid` is asked again and again: the kernel's own notice (above) comes already when the starting *thread* ends.
    """
    starter = os.getppid()

    def watch() -> None:
        while os.getppid() == starter:
            time.sleep(POLL_SECONDS * 10)  # checks the parent each time
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="starter", daemon=True).start()


def start(
    command: Sequence[str],
    log: IO[bytes],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    end: signal.Signals = signal.SIGKILL,
    enter: Callable[[], None] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` with its output in `log`, in its own session so that Ctrl-C reaches only the supervisor.

    `end` is what it is sent when we end without having stopped it. `enter` is called in the child, before the program.
    """
    mortal = die_with_parent(end)

    def prepare() -> None:
        if enter is not None:
            enter()
        if mortal is not None:
            mortal()  # last: changing the account makes the kernel drop it

    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        start_new_session=True,
        preexec_fn=prepare,
        cwd=cwd,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when `condition` holds; raises StackError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"{what} did not happen within {seconds:.0f} seconds")
        time.sleep(POLL_SECONDS)  # checks the condition again; nothing here trusts a fixed wait


class Child(Protocol):
    """What we need of a child process, whoever forked it."""

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def kill(self) -> None: ...


def stop(child: Child, how: signal.Signals, seconds: float) -> None:
    """Send `how`; kill when the child is still there after `seconds`."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(_KILL_SECONDS)


def free_port() -> int:
    """A TCP port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on `port`, of the loopback unless another host is named."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log file, for a message to a person."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"

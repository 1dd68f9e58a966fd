"""The supervisor's end of the fork server: processes that are ordered, watched and stopped as if they were our own children."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.local.fork_server import ENDED, FORK, MESSAGE, SIGNAL, Order
from deploy.local.subprocesses import die_with_parent
from deploy.local.titles import ROOM

ROOT: Final = Path(__file__).parents[2]


class Fork:
    """One process, with as much of `subprocess.Popen` as is needed of it."""

    def __init__(self, server: Forks, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None
        """Its exit code, or a negative signal; None while it lives."""
        self._over = threading.Event()

    def ended(self, code: int) -> None:
        """The fork server says so."""
        self.returncode = code
        self._over.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired after `timeout` seconds."""
        if not self._over.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        self._server.signal(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """A fork server and the processes that it forked. It imports while the caller continues."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is the fork server's own and passed to no process; it must hold no secret."""
        self._control, theirs = socket.socketpair()
        self._living: dict[int, Fork] = {}
        self._answers: queue.SimpleQueue[Fork] = queue.SimpleQueue()
        with theirs:
            command = [sys.executable, "-m", "deploy.local.fork_server", str(theirs.fileno()), ROOM]
            self._process = subprocess.Popen(
                command, env=dict(environment), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), start_new_session=True, preexec_fn=die_with_parent(),
            )  # fmt: skip
        self.alive = True
        """Whether it still forks: who killed it killed every process of it too."""
        threading.Thread(target=self._listen, name="forks", daemon=True).start()

    @property
    def pid(self) -> int:
        """The fork server's own."""
        return self._process.pid

    def spawn(self, order: Order, *, output: int, errors: int) -> Fork:
        """Fork a process with these descriptors as its standard output and error; both stay open here.

        If the fork server is gone, the result is a process that was killed.
        """
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "w") as pipe, os.fdopen(reading, "rb") as read_end:
                json.dump(order, pipe)  # smaller than a pipe's buffer: the write never waits for the reader
                socket.send_fds(self._control, [MESSAGE.pack(FORK, 0, 0)], [read_end.fileno(), output, errors])
        except OSError:
            return self._killed()
        return self._answers.get()

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process, if it is still there."""
        try:
            self._control.sendall(MESSAGE.pack(SIGNAL, pid, number))
        except OSError:
            return  # the fork server is gone, and with it every process

    def close(self) -> None:
        """End the fork server, and what it still has."""
        self._control.shutdown(socket.SHUT_RDWR)
        self._process.wait()

    def _listen(self) -> None:
        with suppress(OSError):
            while message := self._control.recv(MESSAGE.size, socket.MSG_WAITALL):
                what, pid, number = MESSAGE.unpack(message)
                if what == FORK:
                    self._living[pid] = Fork(self, pid)
                    self._answers.put(self._living[pid])
                elif what == ENDED:
                    self._living.pop(pid).ended(number)
        self.alive = False
        for fork in self._living.values():
            fork.ended(-signal.SIGKILL)
        self._answers.put(self._killed())  # for who waits just now

    def _killed(self) -> Fork:
        fork = Fork(self, 0)
        fork.ended(-signal.SIGKILL)
        return fork

"""`python -m deploy.local.fork_server SOCKET`: imports every package once and forks each process from itself.

A process that is started by itself spends over a second of processor time in importing what all others import too, and shares
none of that memory. In production each is started by itself all the same (docs/decisions/0018).

This process must never start a thread or an event loop (a fork has only the thread that forks: what another one had locked
stays locked) and never learn a secret. What a process is told, passwords included, comes by a pipe that only its fork reads:
it is in no memory that a later fork inherits.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
from typing import Final, NamedTuple

from deploy.local.processes import MIGRATIONS, PROCESSES
from deploy.local.subprocesses import die_with_parent
from deploy.local.titles import set_title

MESSAGE: Final = struct.Struct("!cii")
"""Both ways: what, a process, a number."""
FORK: Final = b"F"
"""To us, with three descriptors (the order's pipe, standard output, standard error); the answer names the process."""
SIGNAL: Final = b"S"
"""To us: send a process the signal of that number. Only we know for sure that it still is the same process."""
ENDED: Final = b"E"
"""From us: a process ended, with its exit code, or a negative signal."""
_DESCRIPTORS: Final = 3


class Order(NamedTuple):
    """The process that a fork becomes."""

    name: str
    module: str
    arguments: list[str]
    environment: dict[str, str]
    """Ends all of it and leaves none of our processes behind."""


def preload() -> None:
    """Import what any process needs. The garbage collector must not touch it: pages that it touches are no longer shared."""
    gc.disable()  # nothing imported is ever freed
    for module in {*MIGRATIONS, *(process.module for process in PROCESSES)}:
        runs = f"{module}.__main__" if hasattr(importlib.import_module(module), "__path__") else module
        importlib.import_module(runs)
        del sys.modules[runs]  # each fork runs its own, as `python -m` does
    if threading.active_count() > 1:
        raise SystemExit(f"a module starts a thread when it is imported, and nothing may be forked: {threading.enumerate()}")
    gc.collect()
    gc.freeze()
    gc.enable()


class ForkServer:
    """The forks that live, and the supervisor at the other end of `control`."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._living: set[int] = set()

    def serve(self) -> Order | None:
        """Fork on demand until the supervisor is gone: None. In a fork it returns what the fork is to run."""
        awake, wake = socket.socketpair()
        for end in (awake, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # it wakes the select below
        while True:
            ready, _, _ = select.select([self._control, awake], [], [])
            if awake in ready:
                awake.recv(1024)
                self._reap()
            if self._control in ready:
                message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE.size, _DESCRIPTORS)
                if len(message) < MESSAGE.size:
                    return None
                what, pid, number = MESSAGE.unpack(message)
                if what == SIGNAL and pid in self._living:
                    os.kill(pid, number)
                elif what == FORK and (order := self._fork(descriptors, awake, wake)) is not None:
                    return order

    def _reap(self) -> None:
        while self._living:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._living.discard(pid)
            self._control.sendall(MESSAGE.pack(ENDED, pid, os.waitstatus_to_exitcode(status)))

    def _fork(self, descriptors: list[int], awake: socket.socket, wake: socket.socket) -> Order | None:
        die = die_with_parent()
        pid = os.fork()
        if pid:
            for descriptor in descriptors:
                os.close(descriptor)
            self._living.add(pid)
            self._control.sendall(MESSAGE.pack(FORK, pid, 0))
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._control, awake, wake):
            end.close()
        os.setsid()
        if die is not None:
            die()
        order, output, errors = descriptors
        os.dup2(output, 1)
        os.dup2(errors, 2)
        for descriptor in (output, errors):
            os.close(descriptor)
        with os.fdopen(order, "rb") as pipe:
            return Order(*json.load(pipe))


def become(order: Order) -> None:
    """Run as `python -m MODULE ARGUMENTS` in that environment alone. Raises SystemExit, and what the module raises."""
    os.environ.clear()
    os.environ.update(order.environment)
    set_title(order.name, ["python", "-m", order.module, *order.arguments])
    sys.argv = [order.module, *order.arguments]
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


def main(arguments: list[str]) -> None:
    """Serve on the socket of that number until the supervisor is gone; in a fork, become the requested process."""
    control = socket.socket(fileno=int(arguments[0]))
    preload()
    order = ForkServer(control).serve()
    if order is not None:
        become(order)


if __name__ == "__main__":
    main(sys.argv[1:])

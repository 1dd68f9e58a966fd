"""A server that is there and does nothing: every process of it stopped by SIGSTOP, and continued."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and its children, itself first, so that it starts no child between two signals."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stopped as long as the block lives. The kernel still accepts its connections: they are half-open."""
    os.kill(pid, signal.SIGSTOP)
    stopped = family(pid)
    for each in stopped[1:]:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)

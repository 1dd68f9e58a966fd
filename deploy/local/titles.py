"""The title in `ps` of a process that was forked but not executed: its own name instead of its parent's command line."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PR_SET_NAME: Final = 15
_ARG_START: Final = 45
"""Place of `arg_start` in /proc/self/stat behind the name (proc_pid_stat(5)); `arg_end` follows."""
ROOM: Final = " " * 100
"""A last argument for who forks: the kernel shows a command line from where the first one stood, and no longer."""


def set_title(name: str, command: Sequence[str]) -> None:
    """Show `name` (15 bytes of it) as the process' name and `command` as its command line. Nothing happens but on Linux."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(field) for field in fields[_ARG_START : _ARG_START + 2])
    shown = b"\0".join(part.encode() for part in command)[: end - start - 1]
    if start and shown:
        ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)

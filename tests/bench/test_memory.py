"""The memory of a house: every process below the supervisor is counted, and what they share once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.memory import MB, OURS, shares
from tests.bench.samples import NothingMeasured

HELD = 100 * MB
FAMILY = f"""
import os, sys
held = bytearray(os.urandom({HELD}))
for _ in range(2):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
print("there", flush=True)
sys.stdin.read()
"""
"""A process with a large piece of memory and two children that share it, until its stdin ends."""


@contextmanager
def _family() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    try:
        yield child
    finally:
        child.communicate(b"")


def test_what_three_processes_share_is_counted_once() -> None:
    with _family() as parent:
        found = shares(parent.pid)
    assert set(found) == {OURS}
    assert found[OURS].processes == 3
    assert HELD < found[OURS].pss < 2 * HELD  # the resident sets come to three times


def test_a_house_that_has_ended_is_words() -> None:
    with _family() as parent:
        pass
    with pytest.raises(NothingMeasured, match="no process of the house"):
        shares(parent.pid)

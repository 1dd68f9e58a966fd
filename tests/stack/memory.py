"""What a process has in its memory, as whoever runs code in it could read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def memory_of(pid: int) -> Iterator[bytes]:
    """All that the process can read and write of its own memory, a mapping at a time."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(address, 16) for address in addresses.split("-"))
                with suppress(OSError):  # taken back since it was listed
                    memory.seek(start)
                    yield memory.read(end - start)


def holds(pid: int, secret: str) -> bool:
    """Whether `secret` stands anywhere in the memory of the process."""
    return any(secret.encode() in mapping for mapping in memory_of(pid))

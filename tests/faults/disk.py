"""A small disk of the test's own, and a ballast that fills it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A file system of limited size."""

    path: Path

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.path).free

    def fill(self, leaving: int = 0) -> None:
        """Leave `leaving` bytes and no more."""
        with (self.path / "ballast").open("wb", buffering=0) as ballast:
            left = self.free - leaving
            while left > 0 and self.free > leaving:
                try:
                    left -= ballast.write(bytes(min(left, 1 << 20)))
                except OSError:
                    return

    def make_room(self) -> None:
        """Take the ballast away."""
        (self.path / "ballast").unlink()


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that every user can reach, also where TMPDIR is closed: PostgreSQL names a tablespace by its path."""
    places = (Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/dev/shm"))
    place = next(each for each in places if all(above.stat().st_mode & 0o001 for above in (each, *each.resolve().parents)))
    directory = Path(tempfile.mkdtemp(prefix="parvandeh-test-", dir=place))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """A tmpfs at `path`; skips, and says why, where this process may not mount one."""
    path.mkdir(parents=True, exist_ok=True)
    why = "only root mounts a file system" if os.getuid() != 0 else ""
    if not why:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "none", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        why = made.stderr.strip() if made.returncode else ""
    if why:
        print(f"no disk was filled: {why}")
        pytest.skip(f"a size-limited file system cannot be made here: {why}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)

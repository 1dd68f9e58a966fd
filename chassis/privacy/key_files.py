"""The key files of a process: 32 bytes each, in a directory that only this process can read, and in no database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.envelope.sealing import DataClass

LENGTH: Final = 32


class KeyFileMissing(Exception):
    """A key file that this process needs is not there, or has a wrong length; the text names the file."""


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The keys of one process; asking for one that it was not given raises KeyFileMissing."""

    directory: Path
    _read: dict[str, bytes] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> bytes:
        """The 32 bytes of `<name>.key`."""
        if name not in self._read:
            path = self.directory / f"{name}.key"
            try:
                content = path.read_bytes()
            except OSError:
                raise KeyFileMissing(f"{path.name} is missing in {path.parent}") from None
            if len(content) != LENGTH:
                raise KeyFileMissing(f"{path.name} has {len(content)} bytes, not {LENGTH}")
            self._read[name] = content
        return self._read[name]

    def wrapping(self, data_class: DataClass) -> bytes:
        """The wrapping key of a class."""
        return self.get(f"wrap-{data_class.value}")


def make(directory: Path, names: Iterable[str]) -> None:
    """Make the key files that are not there; existing ones are never touched."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        path = directory / f"{name}.key"
        if path.exists():
            continue
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(LENGTH))
            file.flush()
            os.fsync(file.fileno())  # a key that vanished with the power would take sealed data with it
        part.rename(path)

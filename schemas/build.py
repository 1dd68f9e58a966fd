"""Which Parvandeh this is: its version and, in a checkout, its commit."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]
UNKNOWN: Final = "unknown"
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Build:
    """The code that runs."""

    version: str
    commit: str
    """The full hash, or `unknown` where the code came without its repository."""

    @classmethod
    def of(cls, root: Path = ROOT) -> Self:
        """The build in `root`: a checkout has its own version; elsewhere the installed distribution says it."""
        try:
            version = str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])
        except OSError:
            version = metadata.version("parvandeh")
        return cls(version, _commit(root / ".git"))


def _commit(git: Path) -> str:
    # The files themselves, because git refuses a checkout that belongs to another user, and a server may not have it.
    try:
        if git.is_file():  # a worktree names the directory of its own
            git = (git.parent / git.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head if _COMMIT.fullmatch(head) else UNKNOWN
        name = head.removeprefix("ref: ")
        for directory in (git, git.parent.parent):  # a worktree keeps its branches in the repository's own directory
            if (directory / name).is_file():
                return (directory / name).read_text().strip()
            packed = directory / "packed-refs"
            for line in packed.read_text().splitlines() if packed.is_file() else ():
                if line.endswith(f" {name}"):
                    return line.partition(" ")[0]
    except (OSError, UnicodeDecodeError):
        pass
    return UNKNOWN

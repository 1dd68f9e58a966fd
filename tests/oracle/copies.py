"""A copy of the tree in which one bug after another is planted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LENT: Final = "TESTS_USE_STACK"
"""The environment variable that names the directory of a running server: it is lent to run after run."""
SHARED: Final = ("var", "node_modules", "docs")
"""What a copy has of the original by a link: the jars, the assets of the pages, what the documents say."""
LEFT_OUT: Final = (".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", "*.pyc.*", *SHARED)


def named(patch: Path) -> str:
    """The test that must catch the bug."""
    return patch.read_text(encoding="utf-8").splitlines()[0].removeprefix("Caught by ")


class Copy:
    """A copy of the whole tree, compiled modules included: to compile them for each bug takes longer than most tests."""

    def __init__(self, directory: Path) -> None:
        self.tree = directory / "tree"
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for shared in SHARED:
            (self.tree / shared).symlink_to(ROOT / shared)

    def plant(self, patch: Path) -> str:
        """Plant the bug; why the patch no longer fits the code, or nothing."""
        applied = subprocess.run(
            ["git", "apply", "--unsafe-paths", f"--directory={self.tree}", str(patch)],
            cwd=self.tree, capture_output=True, text=True, check=False,
        )  # fmt: skip
        for path in _changed(patch):
            # A compiled module is taken for that of any source of its size and second.
            for compiled in (self.tree / path).parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                compiled.unlink()
        return applied.stderr if applied.returncode else ""

    def restore(self, patch: Path) -> None:
        """The tree as before the bug was planted, and without what its test left in it."""
        shutil.rmtree(self.tree / ".hypothesis", ignore_errors=True)
        for path in _changed(patch):
            if (ROOT / path).exists():
                shutil.copy2(ROOT / path, self.tree / path)
            else:
                (self.tree / path).unlink(missing_ok=True)


def _changed(patch: Path) -> set[Path]:
    """The files that the patch changes, makes or takes away, relative to the tree."""
    lines = patch.read_text(encoding="utf-8").splitlines()
    return {Path(line[6:].split("\t")[0]) for line in lines if line.startswith(("--- a/", "+++ b/"))}

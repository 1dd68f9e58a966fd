"""The tests are tested: each planted bug is caught by the test that its patch names, on a copy of the tree.

A patch begins with `Caught by <test>`. Nothing of it is in the product: no switch, no flag.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLANTED = sorted((ROOT / "tests/oracle/planted").glob("*.patch"))
SECONDS = 120
LEFT_OUT = (
    ".git",
    ".venv",
    "node_modules",
    "var",
    "docs",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
)


def named(patch: Path) -> str:
    """The test that must catch the bug."""
    return patch.read_text(encoding="utf-8").splitlines()[0].removeprefix("Caught by ")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the whole tree, with the jars and page assets of the original."""
    copy = tmp_path / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for shared in ("var", "node_modules", "docs"):
        (copy / shared).symlink_to(ROOT / shared)
    return copy


def run(tree: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip


def test_there_are_enough_and_the_copy_passes_unpatched(tree: Path) -> None:
    assert len(PLANTED) >= 12
    sound = run(tree, *sorted({named(patch) for patch in PLANTED}))
    assert sound.returncode == 0, sound.stdout[-2000:]


@pytest.mark.parametrize("patch", PLANTED, ids=lambda patch: patch.stem)
def test_a_planted_bug_is_caught_by_the_test_that_it_names(tree: Path, patch: Path) -> None:
    applied = subprocess.run(
        ["git", "apply", "--unsafe-paths", f"--directory={tree}", str(patch)],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert applied.returncode == 0, f"the patch no longer fits the code: {applied.stderr}"
    caught = run(tree, named(patch))
    assert caught.returncode == 1, caught.stdout[-2000:]  # 1: tests ran and failed; no other code will do
    assert "1 failed" in caught.stdout

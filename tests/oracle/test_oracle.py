"""The tests are tested: each planted bug is caught by the test that its patch names, on a copy of the tree.

A patch begins with `Caught by <test>`. Nothing of it is in the product: no switch, no flag.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.subprocesses import die_with_parent
from tests.conftest import ROOT

PLANTED = sorted((ROOT / "tests/oracle/planted").glob("*.patch"))
SECONDS = 120
SOUND_SECONDS = 300
"""The sound copy runs all the named tests, with planted ones beside it."""
AT_ONCE = 2
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


def tree_in(directory: Path) -> Path:
    """A copy of the whole tree, with the jars and page assets of the original."""
    copy = directory / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for shared in ("var", "node_modules", "docs"):
        (copy / shared).symlink_to(ROOT / shared)
    return copy


def run(tree: Path, *tests: str, seconds: int = SECONDS) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=seconds,
        preexec_fn=die_with_parent(signal.SIGTERM),
    )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Why a patch could not be applied, or what its named test said."""

    misfit: str
    code: int = 0
    said: str = ""


def with_no_bug(directory: Path) -> Outcome:
    """Run, on a sound copy, every test that must catch one."""
    done = run(tree_in(directory), *sorted({named(each) for each in PLANTED}), seconds=SOUND_SECONDS)
    return Outcome("", done.returncode, done.stdout[-2000:])


def with_the_bug(patch: Path, directory: Path) -> Outcome:
    """Plant it in a copy, and run the test that must catch it."""
    tree = tree_in(directory)
    applied = subprocess.run(
        ["git", "apply", "--unsafe-paths", f"--directory={tree}", str(patch)],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if applied.returncode != 0:
        return Outcome(applied.stderr)
    done = run(tree, named(patch))
    return Outcome("", done.returncode, done.stdout[-2000:])


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Path | None, Future[Outcome]]]:
    """What became of each chosen patch, and of the sound copy under None.

    `AT_ONCE` of them at a time: a bug is mostly caught by waiting for what never comes.
    """
    users = [item for item in request.session.items if "outcomes" in getattr(item, "fixturenames", ())]
    chosen = [item.callspec.params["patch"] if hasattr(item, "callspec") else None for item in users]
    with ThreadPoolExecutor(AT_ONCE) as several:
        running = {}
        for patch in chosen:
            copy = tmp_path_factory.mktemp("planted")
            running[patch] = several.submit(with_the_bug, patch, copy) if patch else several.submit(with_no_bug, copy)
        yield running
        several.shutdown(cancel_futures=True)  # Ctrl-C: what has not begun does not begin


@pytest.mark.timeout(SOUND_SECONDS + 60)
def test_there_are_enough_and_the_copy_passes_unpatched(outcomes: Mapping[Path | None, Future[Outcome]]) -> None:
    assert len(PLANTED) >= 12
    sound = outcomes[None].result()
    assert sound.code == 0, sound.said


@pytest.mark.parametrize("patch", PLANTED, ids=lambda patch: patch.stem)
def test_a_planted_bug_is_caught_by_the_test_that_it_names(outcomes: Mapping[Path | None, Future[Outcome]], patch: Path) -> None:
    caught = outcomes[patch].result()
    assert not caught.misfit, f"the patch no longer fits the code: {caught.misfit}"
    assert caught.code == 1, caught.said  # 1: tests ran and failed; no other code will do
    assert "1 failed" in caught.said

"""What is shipped is finished, and the planted bugs of the oracle still fit it."""

from __future__ import annotations

import os
import subprocess
from typing import Final

from tests.architecture.tree import Tree

UNFINISHED: Final = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")


def nothing_is_unfinished(tree: Tree) -> list[str]:
    """No marker of unfinished work in what is shipped."""
    return [
        f"{module.path}:{number} {mark}"
        for module in tree.modules
        for number, line in enumerate(module.lines, 1)
        for mark in UNFINISHED
        if mark in line
    ]


def planted_bugs_fit_the_code(tree: Tree) -> list[str]:
    """Each patch of the oracle applies: when one does not, the whole tests say so too, but after half an hour."""
    # Not in a repository that lies above the tree: git would take its paths for others and leave the patch alone.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.root.parent)}
    found = []
    for patch in sorted((tree.root / "tests/oracle/planted").glob("*.patch")):
        applied = subprocess.run(
            ["git", "apply", "--check", str(patch)], cwd=tree.root, env=environment, capture_output=True, text=True, check=False
        )
        if applied.returncode != 0:
            found.append(f"{patch.relative_to(tree.root)} does not fit: {applied.stderr.strip()}")
    return found

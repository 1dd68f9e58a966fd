"""What the commands of docs/promises.md and README name: files with tests, make targets, modules. One that is not there fails."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COMMAND: Final = re.compile(r"`([^`]+)` \|$")
"""The last cell of a line of a table."""
DIVIDER: Final = re.compile(r"\|[-| ]+\|")
TARGET: Final = re.compile(r"^([a-z]+):", re.MULTILINE)
RUNNABLE: Final = ('if __name__ == "__main__"', "if __name__ == '__main__'")


@dataclass(frozen=True)
class Line:
    """One promise: the number of its line on the page, and its command; empty where the line has none."""

    number: int
    command: str


@dataclass(frozen=True)
class Known:
    """What a command may name."""

    tests: tuple[str, ...]
    """Node ids as pytest has them, without what `parametrize` adds."""
    targets: frozenset[str]
    """Targets of the Makefile."""


def lines(page: str) -> Iterator[Line]:
    """The promises of a page: each line of a table below its head."""
    inside = False
    for number, text in enumerate(page.splitlines(), 1):
        if DIVIDER.fullmatch(text):
            inside = True
        elif not text.startswith("|"):
            inside = False
        elif inside:
            found = COMMAND.search(text)
            yield Line(number, found.group(1) if found else "")


def known(root: Path) -> Known:
    """Read the tests and the Makefile. The tests are parsed and not collected: that took a hundred times as long."""
    tests = tuple(found for path in sorted((root / "tests").rglob("test_*.py")) for found in _tests_in(root, path))
    return Known(tests, frozenset(TARGET.findall((root / "Makefile").read_text(encoding="utf-8"))))


def _tests_in(root: Path, path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield f"{path.relative_to(root)}::{node.name}"


def broken(page: str, known: Known) -> list[str]:
    """A sentence for each promise of the page whose command names nothing."""
    return [f"line {line.number}: {why}" for line in lines(page) for why in _wrong(line.command.split(), known)]


def _wrong(words: list[str], known: Known) -> list[str]:
    match words:
        case ["pytest", *arguments] | [".venv/bin/python", "-m", "pytest", *arguments]:
            return _tests(arguments, known)
        case ["make", target, *settings]:
            said = [f"make knows no target {target}"] if target not in known.targets else []
            return said + [f"{setting} is no setting of make" for setting in settings if "=" not in setting]
        case ["python", "-m", module, *_]:
            return [] if runnable(module) else [f"there is no module {module} to run"]
        case []:
            return ["a promise without a command"]
    return [f"{' '.join(words)} is not a command that this check can follow"]


def _tests(arguments: list[str], known: Known) -> list[str]:
    """Each path must hold a test; a `-k` is one word here, and must select one among them."""
    paths, word = arguments, ""
    if "-k" in arguments:
        paths, word = arguments[: arguments.index("-k")], " ".join(arguments[arguments.index("-k") + 1 :])
    if not paths:
        return ["pytest without a path"]
    selected = {path: [test for test in known.tests if _belongs(test, path)] for path in paths}
    empty = [f"there is no test in {path}" for path, tests in selected.items() if not tests]
    if not empty and "-k" in arguments and not any(word and word in test for tests in selected.values() for test in tests):
        empty.append(f"-k {word} selects no test")
    return empty


def _belongs(test: str, path: str) -> bool:
    return test == path or test.startswith((f"{path}::", f"{path.rstrip('/')}/"))


def runnable(module: str) -> bool:
    """Whether `python -m module` finds something to run."""
    try:
        found = importlib.util.find_spec(module)
        if found is not None and found.submodule_search_locations is not None:
            found = importlib.util.find_spec(f"{module}.__main__")
    except ModuleNotFoundError:
        return False
    if found is None or found.origin is None:
        return False
    return found.name.endswith("__main__") or any(mark in Path(found.origin).read_text(encoding="utf-8") for mark in RUNNABLE)

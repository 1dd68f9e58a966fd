"""The house rules as functions over a source tree: each returns the lines that break it (design.md section 2)."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

LAYERS: Final = {"schemas": 0, "caselog": 1, "chassis": 2, "services": 3, "deploy": 4, "tests": 5}
PURE: Final = {"decide", "commands", "refusals", "draws", "facts", "clocks", "chain", "timeline", "verification", "identifiers"}
IMPURE: Final = {"asyncpg", "faststream", "aiokafka", "structlog", "random", "secrets", "time", "os", "httpx2"}
ROOMS: Final = {
    "__init__", "__main__", "app", "settings", "commands", "decide", "handle", "consume", "project", "read", "api", "pages",
    "draw", "refusals", "certificate", "enrolment",
}  # fmt: skip
NOTHING_SAID: Final = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base"}
MODULE_LINES: Final = 350
FUNCTION_LINES: Final = 60


def _modules(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layers_point_down(root: Path) -> list[str]:
    """services -> chassis -> caselog -> schemas, never back."""
    return [
        f"{path}:{line} imports {name}"
        for path, tree in _modules(root)
        for line, name in _imports(tree)
        if LAYERS.get(name.split(".")[0], -1) > LAYERS[path.parts[0]]
    ]


def services_never_import_each_other(root: Path) -> list[str]:
    """What services say to each other, they say in facts."""
    return [
        f"{path}:{line} imports {name}"
        for path, tree in _modules(root)
        if path.parts[0] == "services" and len(path.parts) > 2
        for line, name in _imports(tree)
        if name.startswith("services.") and name.split(".")[1] != path.parts[1]
    ]


def pure_modules_are_pure(root: Path) -> list[str]:
    """No database, bus, log line, clock or randomness: those are arguments."""
    return [
        f"{path}:{line} imports {name}"
        for path, tree in _modules(root)
        if path.parts[0] != "tests" and (set(path.with_suffix("").parts) & PURE)
        for line, name in _imports(tree)
        if name.split(".")[0] in IMPURE
    ] + [
        f"{path}:{node.lineno} asks the clock"
        for path, tree in _modules(root)
        if path.parts[0] != "tests" and set(path.with_suffix("").parts) & PURE
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]


def only_the_bus_knows_kafka(root: Path) -> list[str]:
    """chassis/bus, the services' consume.py and what starts the broker."""
    allowed = {("chassis", "bus")}
    return [
        f"{path}:{line} imports {name}"
        for path, tree in _modules(root)
        if path.parts[0] not in {"tests", "deploy"} and path.parts[:2] not in allowed and path.stem != "consume"
        for line, name in _imports(tree)
        if name.split(".")[0] in {"aiokafka", "faststream"}
    ]


def only_app_opens_connections_in_a_service(root: Path) -> list[str]:
    """Adapters are built in app.py alone, so that it reads as a table of contents."""
    return [
        f"{path}:{node.lineno} calls {node.attr}"
        for path, tree in _modules(root)
        if path.parts[0] == "services" and path.stem != "app"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"create_pool", "connect"}
    ]


def rooms_keep_their_names(root: Path) -> list[str]:
    """No room of a service is renamed, none added without a record."""
    return [
        f"{path} is no room of a service"
        for path, _ in _modules(root)
        if path.parts[0] == "services" and len(path.parts) == 3 and path.stem not in ROOMS
    ]


def names_say_something(root: Path) -> list[str]:
    """A module named utils says nothing about what belongs in it."""
    return [
        f"{path} has a name that says nothing" for path, _ in _modules(root) if set(path.with_suffix("").parts) & NOTHING_SAID
    ]


def ceilings_hold(root: Path) -> list[str]:
    """A module about 300 lines, a function about 40; a little room above, then it is split by verb."""
    found = []
    for path, tree in _modules(root):
        lines = len((root / path).read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES and path.parts[0] != "tests":
            found.append(f"{path} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno} {node.name} has {length} lines")
    return found


def nothing_is_unfinished(root: Path) -> list[str]:
    """No marker of unfinished work in what is shipped."""
    marks = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    return [
        f"{path}:{number} {mark}"
        for path, _ in _modules(root)
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1)
        for mark in marks
        if mark in line
    ]


def planted_bugs_fit_the_code(root: Path) -> list[str]:
    """Each patch of the oracle applies: when one does not, the whole tests say so too, but after half an hour."""
    found = []
    for patch in sorted((root / "tests/oracle/planted").glob("*.patch")):
        # Not in a repository that lies above the tree: git would take its paths for others and leave the patch alone.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
        applied = subprocess.run(
            ["git", "apply", "--check", str(patch)], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        if applied.returncode != 0:
            found.append(f"{patch.relative_to(root)} does not fit: {applied.stderr.strip()}")
    return found


RULES: Final[tuple[Callable[[Path], list[str]], ...]] = (
    layers_point_down,
    services_never_import_each_other,
    pure_modules_are_pure,
    only_the_bus_knows_kafka,
    only_app_opens_connections_in_a_service,
    rooms_keep_their_names,
    names_say_something,
    ceilings_hold,
    nothing_is_unfinished,
    planted_bugs_fit_the_code,
)

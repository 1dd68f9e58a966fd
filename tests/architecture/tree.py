"""A source tree, read and parsed once for all the rules that look at it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

LAYERS: Final = {"schemas": 0, "caselog": 1, "chassis": 2, "services": 3, "deploy": 4, "tests": 5}


@dataclass(frozen=True)
class Module:
    """One Python module; `path` is relative to the tree's root."""

    path: Path
    source: str

    @cached_property
    def lines(self) -> list[str]:
        return self.source.splitlines()

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.source, filename=str(self.path))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax tree, parents before their children."""
        return list(ast.walk(self.syntax))

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """The line and the dotted name of each import; `from a import b` gives both `a` and `a.b`."""
        found: list[tuple[int, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.append((node.lineno, node.module))
                found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
        return found

    @property
    def layer(self) -> str:
        return self.path.parts[0]

    @property
    def words(self) -> set[str]:
        """The module's name and the names of the packages that it lies in."""
        return set(self.path.with_suffix("").parts)


@dataclass(frozen=True)
class Tree:
    """The tree under `root`. It is read when a rule first asks, and kept: a rule never sees a later change."""

    root: Path

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """Every Python module of the layers, the lowest layer first."""
        return tuple(self._read())

    @cached_property
    def templates(self) -> tuple[tuple[Path, list[str]], ...]:
        """Every page template, relative to the root, with its lines."""
        found = sorted(path for layer in LAYERS for path in (self.root / layer).rglob("templates/*.html"))
        return tuple((path.relative_to(self.root), path.read_text(encoding="utf-8").splitlines()) for path in found)

    def _read(self) -> Iterator[Module]:
        for layer in LAYERS:
            for path in sorted((self.root / layer).rglob("*.py")):
                yield Module(path.relative_to(self.root), path.read_text(encoding="utf-8"))

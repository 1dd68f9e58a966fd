"""Which words names in the code avoid: those of the table in docs/glossary.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.architecture.tree import Module, Tree

GLOSSARY: Final = Path(__file__).parents[3] / "docs" / "glossary.md"
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@cache
def avoided() -> frozenset[str]:
    """The first column of the table of words avoided in code. Raises ValueError when there is none."""
    section = GLOSSARY.read_text(encoding="utf-8").partition("## Words avoided in code")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")][2:]
    if not cells:
        raise ValueError("docs/glossary.md has no table of the words avoided in code")
    return frozenset(word.strip() for cell in cells for word in cell.split(","))


def names_use_the_fields_words(tree: Tree) -> list[str]:
    """A calque of ours in a name sends a reader of the field to a dictionary that no other project has."""
    return [
        f"{module.path}:{line} {name} says {word}, which docs/glossary.md avoids"
        for module in tree.modules
        if module.layer != "tests"
        for line, name in sorted(set(_names(module)))
        for word in sorted({each.lower() for each in _WORD.findall(name)} & avoided())
    ]


def _names(module: Module) -> Iterator[tuple[int, str]]:
    """Every name that the module itself gives: what it only uses may be another project's."""
    yield 1, module.path.stem
    for node in module.nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name

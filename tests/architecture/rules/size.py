"""How long a module, a function and a template may become, and how wide a template."""

from __future__ import annotations

import ast
import re
from typing import Final

from tests.architecture.tree import Tree

MODULE_LINES: Final = 350
FUNCTION_LINES: Final = 60
TEMPLATE_LINES: Final = 120
TEMPLATE_WIDTH: Final = 160
ELEMENT: Final = re.compile(r"<\w(?:[^<>{]|{{.*?}}|{%.*?%})*")
ATTRIBUTE: Final = re.compile(r"\s[\w-]+=")
GROUP: Final = 3
"""So many attributes of one element are a group, which has a line of its own."""
_BLOCKS: Final = (ast.Match, ast.If, ast.For, ast.While, ast.With, ast.Try, ast.FunctionDef, ast.AsyncFor, ast.AsyncWith)


def ceilings_hold(tree: Tree) -> list[str]:
    """A module about 300 lines, a function about 40; a little room above, then it is split by verb.

    A flat `match`, whose cases hold no block of their own, is a table and counts nothing: cut in two, it is harder to read.
    """
    found = []
    for module in tree.modules:
        if len(module.lines) > MODULE_LINES and module.layer != "tests":
            found.append(f"{module.path} has {len(module.lines)} lines")
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = _lines(node) - sum(_lines(each) for each in node.body if _flat(each))
                if length > FUNCTION_LINES:
                    found.append(f"{module.path}:{node.lineno} {node.name} has {length} lines")
    return found


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _flat(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Match) and not any(
        isinstance(inner, _BLOCKS) for case in statement.cases for each in case.body for inner in ast.walk(each)
    )


def templates_can_be_read(tree: Tree) -> list[str]:
    """A page is read and compared line by line: one group of attributes a line, and cut into partials before it is long."""
    found = []
    for path, lines in tree.templates:
        if len(lines) > TEMPLATE_LINES:
            found.append(f"{path} has {len(lines)} lines")
        for number, line in enumerate(lines, 1):
            groups = sum(1 for element in ELEMENT.findall(line) if len(ATTRIBUTE.findall(element)) >= GROUP)
            if len(line) > TEMPLATE_WIDTH:
                found.append(f"{path}:{number} is {len(line)} characters wide")
            elif groups > 1:
                found.append(f"{path}:{number} has {groups} groups of attributes")
    return found

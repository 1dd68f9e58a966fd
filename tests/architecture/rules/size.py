"""How long a module and a function may become."""

from __future__ import annotations

import ast
from typing import Final

from tests.architecture.tree import Tree

MODULE_LINES: Final = 350
FUNCTION_LINES: Final = 60


def ceilings_hold(tree: Tree) -> list[str]:
    """A module about 300 lines, a function about 40; a little room above, then it is split by verb."""
    found = []
    for module in tree.modules:
        if len(module.lines) > MODULE_LINES and module.layer != "tests":
            found.append(f"{module.path} has {len(module.lines)} lines")
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    found.append(f"{module.path}:{node.lineno} {node.name} has {length} lines")
    return found

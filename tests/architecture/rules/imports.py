"""What happens when a module of the tests is imported: nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from tests.architecture.tree import Tree

CLAIMS: Final = {
    "Popen", "connect", "create_pool", "first_port", "flock", "free_port", "kafka_port", "listening", "mkdtemp", "postgres_port",
    "run", "socket", "start",
}  # fmt: skip
"""Calls that start or claim something, or ask for the ports of this run before they are claimed."""


def tests_start_nothing_at_import(tree: Tree) -> list[str]:
    """No port is claimed and nothing started where a module is only collected, as `--collect-only` and an editor do."""
    return [
        f"{module.path}:{line} {what} at import"
        for module in tree.modules
        if module.layer == "tests"
        for line, what in _at_import(module.syntax)
    ]


def _at_import(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and deed of what runs when the module is imported: not the bodies of functions, and not what only a command does."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for decorator in child.decorator_list:
                    yield from _at_import(ast.Expression(decorator))
                continue
            case ast.Lambda():
                continue
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                continue
            case ast.Expr(value=ast.Call() as call):
                yield call.lineno, f"calls {ast.unparse(call.func)}"
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in CLAIMS:
                yield child.lineno, f"calls {name}"
            case ast.Attribute(attr="port"):
                yield child.lineno, f"asks for {ast.unparse(child)}"
        yield from _at_import(child)

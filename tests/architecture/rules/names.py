"""What modules may be called."""

from __future__ import annotations

from typing import Final

from tests.architecture.tree import Tree

ROOMS: Final = {
    "__init__", "__main__", "app", "commands", "decide", "reactions", "project", "read", "api", "pages",
    "verify_draw", "refusals", "certificate", "registration", "strip_metadata", "processors", "deps", "tasks", "demo",
    "opening_hours", "witness_client",
}  # fmt: skip
NOTHING_SAID: Final = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base"}


def rooms_keep_their_names(tree: Tree) -> list[str]:
    """No room of a service is renamed, none added without a record."""
    return [
        f"{module.path} is no room of a service"
        for module in tree.modules
        if module.layer == "services" and len(module.path.parts) == 3 and module.path.stem not in ROOMS
    ]


def names_say_something(tree: Tree) -> list[str]:
    """A module named utils says nothing about what belongs in it."""
    return [f"{module.path} has a name that says nothing" for module in tree.modules if module.words & NOTHING_SAID]

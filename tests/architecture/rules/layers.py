"""Who may import whom, and who may open a connection."""

from __future__ import annotations

import ast
from typing import Final

from tests.architecture.tree import LAYERS, Tree

PURE: Final = {"decide", "commands", "refusals", "draws", "facts", "clocks", "chain", "timeline", "verify", "identifiers"}
CHASSIS: Final = {"eventing": 1, "privacy": 2, "web": 3, "accounts": 4, "runtime": 5}
"""The packages of chassis, the lowest first; its root modules (settings, refusal, principal, ...) lie below them all."""
ENVELOPE: Final = ("schemas.envelope", "schemas.build", "schemas.command_line")
"""What chassis may import of schemas: what is known of any fact; and which build this is and how a command line ends, which
every layer down to schemas shares and which say nothing of a fact."""
IMPURE: Final = {"asyncpg", "faststream", "aiokafka", "structlog", "random", "secrets", "time", "os", "httpx2"}


def layers_point_down(tree: Tree) -> list[str]:
    """services -> chassis -> caselog -> schemas, never back."""
    return [
        f"{module.path}:{line} imports {name}"
        for module in tree.modules
        for line, name in module.imports
        if LAYERS.get(name.split(".")[0], -1) > LAYERS[module.layer]
    ]


def chassis_points_down(tree: Tree) -> list[str]:
    """Inside chassis: root <- eventing <- privacy <- web <- accounts <- runtime. Only runtime may import all the others."""
    return [
        f"{module.path}:{line} imports {name}"
        for module in tree.modules
        if module.layer == "chassis"
        for line, name in module.imports
        if name.startswith("chassis.") and CHASSIS.get(name.split(".")[1], 0) > CHASSIS.get(module.path.parts[1], 0)
    ]


def chassis_imports_the_envelope_only(tree: Tree) -> list[str]:
    """Of schemas chassis knows what surrounds a fact. The facts themselves reach it as a codec, given by the service."""
    return [
        f"{module.path}:{line} imports {name}"
        for module in tree.modules
        if module.layer == "chassis"
        for line, name in module.imports
        if name.startswith("schemas.") and not f"{name}.".startswith(tuple(f"{each}." for each in ENVELOPE))
    ]


def the_envelope_names_no_fact(tree: Tree) -> list[str]:
    """Nothing of schemas/envelope imports what lies beside it, or chassis would know it by a detour."""
    return [
        f"{module.path}:{line} imports {name}"
        for module in tree.modules
        if module.path.parts[:2] == ("schemas", "envelope")
        for line, name in module.imports
        if name.startswith("schemas.") and not f"{name}.".startswith("schemas.envelope.")
    ]


def services_never_import_each_other(tree: Tree) -> list[str]:
    """What services say to each other, they say in facts."""
    return [
        f"{module.path}:{line} imports {name}"
        for module in tree.modules
        if module.layer == "services" and len(module.path.parts) > 2
        for line, name in module.imports
        if name.startswith("services.") and name.split(".")[1] != module.path.parts[1]
    ]


def pure_modules_are_pure(tree: Tree) -> list[str]:
    """No database, bus, log line, clock or randomness: those are arguments."""
    pure = [module for module in tree.modules if module.layer not in {"chassis", "tests"} and module.words & PURE]
    return [
        f"{module.path}:{line} imports {name}" for module in pure for line, name in module.imports if name.split(".")[0] in IMPURE
    ] + [
        f"{module.path}:{node.lineno} asks the clock"
        for module in pure
        for node in module.nodes
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]


def only_the_bus_knows_kafka(tree: Tree) -> list[str]:
    """chassis/eventing/kafka, the relay, and what starts the broker."""
    allowed = {("chassis", "eventing", "kafka"), ("chassis", "eventing", "relay.py")}
    return [
        f"{module.path}:{line} imports {name}"
        for module in tree.modules
        if module.layer not in {"tests", "deploy"} and module.path.parts[:3] not in allowed
        for line, name in module.imports
        if name.split(".")[0] in {"aiokafka", "faststream"}
    ]


def only_app_opens_connections_in_a_service(tree: Tree) -> list[str]:
    """Adapters are built in app.py alone, so that it reads as a table of contents."""
    return [
        f"{module.path}:{node.lineno} calls {node.attr}"
        for module in tree.modules
        if module.layer == "services" and module.path.stem != "app"
        for node in module.nodes
        if isinstance(node, ast.Attribute) and node.attr in {"create_pool", "connect"}
    ]

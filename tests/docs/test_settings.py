"""docs/operations.md names every setting: the made table is fresh, and no variable is read that the page does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Settings
from deploy.reference import pages
from deploy.reference.settings import READ_BY, NoMeaning, table
from tests.conftest import ROOT

PAGE = "docs/operations.md"
FOLDERS = ("schemas", "caselog", "chassis", "services", "deploy", "tests")
OURS = re.compile(r"\bPARVANDEH_[A-Z_]*[A-Z]\b(?!_)")
READ = re.compile(r"""environ(?:\.get\(|\[)["']([A-Z_]+)["']""")
SYSTEMS = {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE"}
"""Variables of the system and of Python, which are no settings of ours."""


def variables(root: Path) -> Iterator[tuple[str, str]]:
    """Each variable that the code of `root` reads or names, with its file."""
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    for path in [*files, root / "Makefile", root / ".ci/run"]:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for name in {*OURS.findall(text), *READ.findall(text)} - SYSTEMS:
                yield str(path.relative_to(root)), name


def unknown(root: Path, page: str) -> list[str]:
    """A line for each variable that the page does not name."""
    known = set(re.findall(r"[A-Z_]*[A-Z]", page))
    return sorted(f"{path} knows {name}, and {PAGE} does not" for path, name in variables(root) if name not in known)


def test_the_page_names_every_variable_that_the_code_reads() -> None:
    assert unknown(ROOT, (ROOT / PAGE).read_text(encoding="utf-8")) == []


def test_a_planted_variable_is_found(tmp_path: Path) -> None:
    name, read = "PARVANDEH_" + "GONE", 'environ.get("' + 'GONE", "1")'  # cut, since this file is looked through as well
    for path, text in (("chassis/x.py", f'A = "{name}"'), ("tests/x.py", f"import os\nos.{read}")):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    assert unknown(tmp_path, "`PARVANDEH_KAFKA`") == [
        f"chassis/x.py knows {name}, and {PAGE} does not",
        f"tests/x.py knows GONE, and {PAGE} does not",
    ]


def test_the_made_parts_of_the_pages_are_what_the_code_says() -> None:
    assert pages.stale() == []


def test_a_stale_page_is_found_and_written(tmp_path: Path) -> None:
    for name in pages.PARTS:
        text = (pages.DOCS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("| The port that it listens on. |", "| Stale. |"), encoding="utf-8")
    assert pages.stale(tmp_path) == ["operations.md"]
    assert pages.write(tmp_path) == ["operations.md"]
    assert pages.stale(tmp_path) == []
    (tmp_path / "operations.md").write_text("no marks", encoding="utf-8")
    with pytest.raises(pages.MarkMissing, match=r"operations\.md has no marks around its part settings"):
        pages.stale(tmp_path)


def test_a_setting_without_a_meaning_or_a_reader_is_named() -> None:
    class Silent(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="PARVANDEH_", use_attribute_docstrings=True)
        host: str = ""

    class Unread(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="PARVANDEH_", use_attribute_docstrings=True)
        gone: str = ""
        """Has a meaning, and nobody reads it."""

    with pytest.raises(NoMeaning, match=r"Silent\.host"):
        table(Silent)
    with pytest.raises(NoMeaning, match=r"Unread\.gone"):
        table(Unread)
    assert set(READ_BY) == set(Settings.model_fields)

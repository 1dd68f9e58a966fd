"""Every link of a document leads to a file, and to a heading where it names one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def documents(root: Path) -> Iterator[Path]:
    """Every page that is written for people."""
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "docs").rglob("*.md"))
    yield from sorted((root / "schemas").glob("*.md"))


def broken(root: Path) -> list[str]:
    """A line for each link of a document that leads nowhere; links out of the repository are not followed."""
    found = []
    for page in documents(root):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path, _, heading = unquote(target).partition("#")
            there = (page.parent / path) if path else page
            if re.match(r"[a-z]+:", target):
                continue
            if not there.exists():
                found.append(f"{page.relative_to(root)} links {target}, and there is no such file")
            elif heading and heading not in _anchors(there):
                found.append(f"{page.relative_to(root)} links {target}, and there is no such heading")
    return found


def _anchors(page: Path) -> set[str]:
    """The headings of a page as links name them: small letters, blanks as hyphens, no signs."""
    headings = HEADING.findall(page.read_text(encoding="utf-8")) if page.suffix == ".md" else []
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_link_of_a_document_leads_somewhere() -> None:
    assert broken(ROOT) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a](docs/gone.md)", "README.md links docs/gone.md, and there is no such file"),
        ("![a](docs/gone.png)", "README.md links docs/gone.png, and there is no such file"),
        ("[a](#gone)", "README.md links #gone, and there is no such heading"),
        ("[a](docs/page.md#gone)", "README.md links docs/page.md#gone, and there is no such heading"),
    ],
)
def test_a_planted_link_is_found(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").write_text("## 1. A heading, here\n[up](../README.md#known-limits)\n", encoding="utf-8")
    (tmp_path / "README.md").write_text(f"# Known limits\n[ok](docs/page.md#1-a-heading-here) {text}\n", encoding="utf-8")
    assert broken(tmp_path) == [why]

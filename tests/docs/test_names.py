"""What documents name is there; what is not there is said to be planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.names import DOCUMENTS, Source, missing, missing_in_tree, named

SOURCE = Source(ROOT)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_module_fact_and_name_that_a_document_names_is_there(name: str) -> None:
    assert missing(SOURCE, name, (ROOT / name).read_text(encoding="utf-8")) == []


def test_the_tree_of_the_design_is_the_tree_that_is_there() -> None:
    assert missing_in_tree(SOURCE, (ROOT / "docs/design.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ("caselog/gone.py", "there is no such path"),
        ("deploy/k8s/", "there is no such path"),
        ("gone.sql", "there is no such path"),
        ("services/*/gone.py", "there is no such path"),
        ("caselog.gone", "there is no such module"),
        ("caselog.read.gone_for_good", "there is no such module"),
        ("deadline.moved", "there is no such fact"),
        ("GoneForGood", "no code has that name"),
        ("gone_for_good_too", "no code has that name"),
    ],
)
def test_a_planted_name_is_found_unless_it_is_planned(tmp_path: Path, found: str, why: str) -> None:
    source = Source(tmp_path)
    (tmp_path / "caselog").mkdir()
    (tmp_path / "caselog/read.py").write_text("class LogReader: ...\n", encoding="utf-8")
    assert missing(source, "x.md", f"One.\n\nThere is `{found}` and `caselog/read.py`.\n") == [f"x.md names {found}, and {why}"]
    assert missing(source, "x.md", f"*Planned:* there will be\n`{found}`.\n") == []


def test_what_is_there_is_found_in_every_form_that_documents_use(tmp_path: Path) -> None:
    for path in ("services/intake/app.py", "caselog/read.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("class LogReader: ...\n", encoding="utf-8")
    text = "`services/*/app.py` `app.py` `services/intake/` `caselog.read` `caselog.read.LogReader` `LogReader` `case.submitted`"
    assert missing(Source(tmp_path), "x.md", text) == []
    assert len(named(text)) == 7


def test_a_planted_path_in_the_tree_is_found(tmp_path: Path) -> None:
    (tmp_path / "chassis/web").mkdir(parents=True)
    (tmp_path / "chassis/settings.py").touch()
    tree = (
        "```\nchassis/          what\n                  more of it\n  settings.py gone.py\n  web/    pages\nk8s/ Gonefile\n```\n"
    )
    assert [each.split()[3] for each in missing_in_tree(Source(tmp_path), tree)] == ["chassis/gone.py,", "k8s/,", "Gonefile,"]

"""A fact may be renamed until it is declared released; from then on nothing of it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from schemas import compatibility, contract_files
from schemas.__main__ import check, declare_released
from schemas.asyncapi import asyncapi_text
from schemas.envelope.fact import Fact, Writer
from schemas.facts import FACTS
from schemas.labels import labels

NAME = "case.planted"


class Planted(Fact):
    """A fact that nobody has released."""

    TYPE: ClassVar[str] = NAME
    VERSION: ClassVar[int] = 1
    WRITER: ClassVar[Writer] = Writer.REVIEW

    round: int


class Renamed(Fact):
    """A fact that nobody has released."""

    TYPE: ClassVar[str] = NAME
    VERSION: ClassVar[int] = 1
    WRITER: ClassVar[Writer] = Writer.REVIEW

    turn: int


@pytest.fixture
def unreleased(released: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published files with one more fact, which has all its files."""
    monkeypatch.setattr(contract_files, "to_fill_in", lambda _: [])  # of a fact that somebody is writing just now
    monkeypatch.setitem(labels(), NAME, {"fa": "ن", "en": "Planted"})
    become(monkeypatch, released, Planted, '{"round":1}')
    contract_files.write(released)
    return released


def become(monkeypatch: pytest.MonkeyPatch, here: Path, fact: type[Fact], sample: str) -> None:
    """Let the code have this fact, and its sample lie there."""
    facts = {**FACTS, NAME: fact}
    for module in ("schemas.contract_files", "schemas.facts", "schemas.__main__"):
        monkeypatch.setattr(f"{module}.FACTS", facts)
    (here / "samples" / f"{NAME}.v1.json").write_text(sample + "\n")


def schema(here: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((here / "json" / f"{NAME}.v1.json").read_text())
    return found


def test_a_new_fact_is_published_as_not_released_and_is_no_fault(unreleased: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(unreleased) == 0
    assert f"{NAME}.v1: not released, its name and fields may still change" in capsys.readouterr().out
    assert check(unreleased, released=True) == 1
    assert schema(unreleased)["x-released"] is False
    messages = json.loads(asyncapi_text(unreleased, {**FACTS, NAME: Planted}))["components"]["messages"]
    assert messages[NAME]["x-released"] is False
    assert messages["case.withdrawn"]["x-released"] == "0.1.0"
    assert f"| `{NAME}` v1 | Planted; ن | review | case | not yet |" in (unreleased / "INDEX.md").read_text()


def test_a_field_of_a_fact_that_is_not_released_may_be_renamed(unreleased: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, unreleased, Renamed, '{"turn":1}')
    stale = f"{NAME}: the schema of version 1 is not up to date: run `python -m schemas write`"
    assert stale in contract_files.faults(unreleased)
    contract_files.write(unreleased)
    assert contract_files.faults(unreleased) == []
    assert "turn" in schema(unreleased)["properties"]


def test_what_a_renamed_fact_left_behind_is_named(unreleased: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_files, "FACTS", FACTS)
    contract_files.write(unreleased)
    assert contract_files.faults(unreleased) == [
        f"schemas/{folder}/{NAME}.v1.json: no fact has this name and version: delete it" for folder in ("json", "samples")
    ]


def test_a_released_fact_stands_in_the_ledger_at_the_projects_version_and_never_changes(
    unreleased: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = compatibility.ledger(unreleased)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.7"\n')
    assert declare_released(unreleased, tmp_path) == 0
    assert contract_files.faults(unreleased) == []
    after = compatibility.ledger(unreleased)
    assert after[f"{NAME}.v1"]["released"] == "0.2.7"
    assert after | before == after  # what was released before stands there as it stood
    assert "x-released" not in schema(unreleased)
    become(monkeypatch, unreleased, Renamed, '{"turn":1}')
    contract_files.write(unreleased)
    refused = "\n".join(contract_files.faults(unreleased))
    assert f"{NAME}: version 1 is released and its schema changed (round: the field is gone; turn: a new required" in refused
    assert f"{NAME}: the sample of released version 1 is not the one that was released" in refused


def test_nothing_is_released_while_something_is_wrong(unreleased: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (unreleased / compatibility.LEDGER).read_bytes()
    (unreleased / "samples" / f"{NAME}.v1.json").unlink()
    assert declare_released(unreleased) == 1
    assert f"{NAME}: no golden sample of version 1" in capsys.readouterr().err
    assert (unreleased / compatibility.LEDGER).read_bytes() == before


@pytest.mark.parametrize("at", ["schemas/labels.toml", "schemas/released.json"])
def test_a_file_that_cannot_be_read_is_named_without_a_traceback(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from schemas import __main__ as cli
    from schemas import labels as words

    broken = tmp_path / Path(at).name
    broken.write_text("{")
    if broken.name == "labels.toml":
        monkeypatch.setattr(words, "__file__", str(tmp_path / "labels.py"))
        words.labels.cache_clear()
    else:
        monkeypatch.setattr(cli, "faults", lambda _: compatibility.ledger(tmp_path))
    try:
        assert cli.main(["check"]) == 1
    finally:
        monkeypatch.undo()
        words.labels.cache_clear()
    assert capsys.readouterr().err.startswith(f"{at}: ")

"""The gate refuses each kind of incompatible change to a released fact, and names the field."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from schemas import compatibility, contract_files
from schemas.compatibility import broken_releases
from schemas.envelope.fact import Fact, StreamKind, Value, Writer
from schemas.facts import FACTS
from schemas.facts.intake import CaseSubmitted, CaseWithdrawn, OfficeRegistered


class Withdrawn(Fact):
    """The applicant withdrew the request; the case ends."""

    TYPE: ClassVar[str] = "case.withdrawn"
    VERSION: ClassVar[int] = 1
    WRITER: ClassVar[Writer] = Writer.INTAKE


class FieldRemoved(Withdrawn):
    pass


class TypeChanged(Withdrawn):
    reason: int


class NewRequired(Withdrawn):
    reason: str
    by: str


class NewOptional(Withdrawn):
    reason: str
    by: str | None = None


class Renamed(Withdrawn):
    motive: str


class NowOptional(Withdrawn):
    reason: str = ""


class Narrower(Withdrawn):
    reason: str = Field(pattern="^[a-z]+$")


class AnotherStream(Withdrawn):
    KIND: ClassVar[StreamKind] = StreamKind.OFFICE

    reason: str


class FewerChannels(CaseSubmitted):
    channel: Literal["portal", "post"]  # type: ignore[assignment]


class _Hours(Value):
    weekday: str


class InTheDepth(OfficeRegistered):
    hours: tuple[_Hours, ...] = ()  # type: ignore[assignment]


def planted(monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, type[Fact]], without: tuple[str, ...] = ()) -> None:
    """Let the check see other facts than the code has."""
    facts = {name: fact for name, fact in (dict(FACTS) | dict(changed)).items() if name not in without}
    monkeypatch.setattr(contract_files, "FACTS", facts)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (FieldRemoved, "reason: the field is gone"),
        (TypeChanged, "reason: type was string and is integer"),
        (NewRequired, "by: a new required field"),
        (NewOptional, "by: a new field"),
        (Renamed, "motive: a new required field; reason: the field is gone"),
        (NowOptional, "reason: was required and is no longer"),
        (Narrower, "reason: pattern was None and is ^[a-z]+$"),
        (AnotherStream, "the fact: x-stream-kind was case and is office"),
        (FewerChannels, "channel: values were ['portal', 'office'] and are ['portal', 'post']"),
        (InTheDepth, "hours[].closes: the field is gone"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_change_within_a_released_version_is_refused_and_says_where(
    released: Path, monkeypatch: pytest.MonkeyPatch, fact: type[Fact], words: str
) -> None:
    planted(monkeypatch, {fact.TYPE: fact})
    refused = [
        line for line in contract_files.faults(released) if line.startswith(f"{fact.TYPE}: version {fact.VERSION} is released")
    ]
    assert len(refused) == 1
    assert words in refused[0]


def test_a_renamed_wire_name_is_refused(released: Path) -> None:
    class Retracted(CaseWithdrawn):
        TYPE: ClassVar[str] = "case.retracted"

    facts = {name: fact for name, fact in FACTS.items() if name != "case.withdrawn"} | {"case.retracted": Retracted}
    refused = broken_releases(released, facts)
    assert any(line.startswith("case.withdrawn: version 1 is released and no fact has this wire name") for line in refused)
    assert "case.retracted.v1" in compatibility.unreleased(released, facts)


def test_a_removed_version_is_refused(released: Path) -> None:
    path = released / compatibility.LEDGER
    entries = json.loads(path.read_text())
    for folder in ("json", "samples"):
        shutil.copy(released / folder / "case.withdrawn.v1.json", released / folder / "case.withdrawn.v2.json")
    path.write_text(json.dumps(entries | {"case.withdrawn.v2": entries["case.withdrawn.v1"]}))
    assert broken_releases(released, FACTS) == [
        "case.withdrawn: version 2 is released and the code knows only 1: " + compatibility._GONE
    ]


@pytest.mark.parametrize("folder", ["json", "samples"])
def test_a_released_file_that_is_gone_or_was_written_anew_is_refused(released: Path, folder: str) -> None:
    file = released / folder / "case.withdrawn.v1.json"
    file.write_text(file.read_text().replace("reason", "motive"))
    (changed,) = broken_releases(released, FACTS)
    assert "is not the one that was released" in changed
    file.unlink()
    (gone,) = broken_releases(released, FACTS)
    assert "of released version 1 is gone" in gone


def test_a_schema_deleted_and_generated_anew_from_changed_code_is_still_refused(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch, {"case.withdrawn": NewOptional})
    before = (released / compatibility.LEDGER).read_bytes()
    (released / "json" / "case.withdrawn.v1.json").unlink()
    contract_files.write(released)
    assert (released / compatibility.LEDGER).read_bytes() == before
    assert any("the schema of released version 1 is not the one" in line for line in contract_files.faults(released))


def test_a_new_version_without_a_lift_is_refused(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Second(NewOptional):
        VERSION: ClassVar[int] = 2

    planted(monkeypatch, {"case.withdrawn": Second})
    monkeypatch.setattr("schemas.facts.FACTS", dict(FACTS) | {"case.withdrawn": Second})
    refused = contract_files.faults(released)
    assert any("case.withdrawn: the golden sample of version 1 cannot be read" in line for line in refused)
    assert any("case.withdrawn: no schema of version 2" in line for line in refused)
    assert any("case.withdrawn: no golden sample of version 2" in line for line in refused)


def test_every_fact_and_version_is_released_or_says_in_its_schema_that_it_is_not() -> None:
    entries = compatibility.ledger(contract_files.HERE)
    waiting = set(compatibility.unreleased(contract_files.HERE, FACTS))
    every = {f"{name}.v{version}" for name, fact in FACTS.items() for version in range(1, fact.VERSION + 1)}
    assert set(entries) | waiting == every == {path.stem for path in (contract_files.HERE / "json").glob("*.json")}
    for entry in every:
        schema = json.loads((contract_files.HERE / "json" / f"{entry}.json").read_text())
        assert (schema.get("x-released", True) is False) is (entry in waiting)
    for entry in entries:
        assert re.fullmatch(r"\d+\.\d+\.\d+", entries[entry]["released"])


def test_a_second_version_of_a_fact_whose_first_is_not_released_is_refused(released: Path) -> None:
    entries = compatibility.ledger(released)
    del entries["case.submitted.v1"]
    (released / compatibility.LEDGER).write_text(json.dumps(entries))
    (refused,) = broken_releases(released, FACTS)
    assert refused.startswith("case.submitted: version 1 is not released, and there is a version 2")


def test_equal_schemas_have_no_difference() -> None:
    for fact in FACTS.values():
        schema: dict[str, Any] = json.loads(contract_files.schema_text(fact))
        assert compatibility.differences(schema, schema) == []

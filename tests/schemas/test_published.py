"""The published language is complete, and the check that says so can fail."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic_core import PydanticSerializationError

from schemas import published
from schemas.fact import Fact, Writer
from schemas.facts import FACTS, MalformedFact, UnknownFact, decode, encode
from schemas.facts.intake import CaseSubmitted, CaseWithdrawn
from schemas.facts.review import CaseRejected
from schemas.sealing import Clear, DataClass, Sealed
from schemas.upcasting import upcast


def test_nothing_is_missing_and_nothing_released_has_changed() -> None:
    assert published.faults() == []


class _Planted(Fact):
    """A planted fact without label, schema or sample."""

    TYPE: ClassVar[str] = "case.planted"
    VERSION: ClassVar[int] = 1
    WRITER: ClassVar[Writer] = Writer.INTAKE


def test_a_fact_without_label_schema_and_sample_is_named() -> None:
    assert published.faults(facts={"case.planted": _Planted}) == [
        "case.planted: no fa label",
        "case.planted: no en label",
        "case.planted: no schema of version 1: run `python -m schemas write`",
        "case.planted: no golden sample of version 1",
    ]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for folder in ("json", "samples"):
        shutil.copytree(published.HERE / folder, tmp_path / folder)
    return tmp_path


def test_a_changed_released_version_is_refused_and_never_overwritten(copied: Path) -> None:
    path = copied / "json" / "case.withdrawn.v1.json"
    path.write_text(path.read_text().replace('"reason"', '"motive"'))
    before = path.read_text()
    facts = {"case.withdrawn": FACTS["case.withdrawn"]}
    assert any("is released and its schema changed" in fault for fault in published.faults(copied, facts))
    published.write(copied)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("sample", "words"), [('{"reason":"sold","extra":1}', "cannot be read"), ('{"reason": "sold"}', "byte for byte")]
)
def test_a_sample_that_does_not_fit_is_named(copied: Path, sample: str, words: str) -> None:
    (copied / "samples" / "case.withdrawn.v1.json").write_text(sample)
    (fault,) = published.faults(copied, {"case.withdrawn": FACTS["case.withdrawn"]})
    assert words in fault


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_golden_sample_is_read_and_written_again_byte_for_byte(name: str) -> None:
    version = FACTS[name].VERSION
    body = (published.HERE / "samples" / f"{name}.v{version}.json").read_bytes().removesuffix(b"\n")
    fact = decode(name, version, body)
    assert encode(fact) == body
    assert name == fact.TYPE


def test_a_filing_from_before_consent_was_asked_is_read_and_claims_none() -> None:
    found = decode("case.submitted", 1, (published.HERE / "samples" / "case.submitted.v1.json").read_bytes())
    assert isinstance(found, CaseSubmitted)
    assert found.consent is None
    with pytest.raises(UnknownFact):
        decode("case.submitted", CaseSubmitted.VERSION + 1, b"{}")


@pytest.mark.parametrize(("name", "version"), [("case.invented", 1), ("case.withdrawn", 2), ("case.withdrawn", 0)])
def test_an_unknown_type_or_version_is_unknown_and_not_malformed(name: str, version: int) -> None:
    with pytest.raises(UnknownFact):
        decode(name, version, b'{"reason":"sold"}')


def test_an_error_about_a_damaged_body_does_not_repeat_it() -> None:
    with pytest.raises(MalformedFact) as refused:
        decode("case.withdrawn", 1, b'{"reason": 7, "secret": "0012345679"}')
    assert "0012345679" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_clear_value_cannot_be_written_and_is_not_shown() -> None:
    note = Clear(DataClass.PROPERTY, "person", {"address": "canary-street"})
    fact = CaseRejected(stage="technical_review", reasons=("x",), note=note)
    with pytest.raises(PydanticSerializationError):
        encode(fact)
    assert "canary-street" not in repr(fact)
    assert decode("case.rejected", 1, encode(fact.model_copy(update={"note": Sealed(key="k", box="b")})))


def test_a_clear_value_cannot_be_read_from_the_wire() -> None:
    body = b'{"stage":"s","reasons":["x"],"note":{"data_class":"property","person":"p","value":{}}}'
    with pytest.raises(MalformedFact):
        decode("case.rejected", 1, body)


def test_an_old_version_is_lifted_step_by_step() -> None:
    lifts = {
        ("case.withdrawn", 1): lambda fields: {"reason": fields["motive"]},
        ("case.withdrawn", 2): lambda fields: {**fields, "reason": fields["reason"].lower()},
    }
    assert CaseWithdrawn.model_validate(upcast("case.withdrawn", 1, 3, b'{"motive":"SOLD"}', lifts)).reason == "sold"
    with pytest.raises(ValueError, match="no lift"):
        upcast("case.withdrawn", 1, 4, b'{"motive":"SOLD"}', lifts)

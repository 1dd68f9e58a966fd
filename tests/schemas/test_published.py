"""The published language is complete, and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic_core import PydanticSerializationError

from schemas import contract_files
from schemas.__main__ import check, write_files
from schemas.envelope.codec import MalformedFact, UnknownFact
from schemas.envelope.fact import Fact, Writer
from schemas.envelope.sealing import Clear, DataClass, Sealed
from schemas.facts import FACTS, decode, encode
from schemas.facts.intake import CaseSubmitted, CaseWithdrawn
from schemas.facts.review import CaseRejected
from schemas.upcasting import upcast


def test_nothing_is_missing_and_nothing_released_has_changed() -> None:
    assert contract_files.faults() == []


class _Planted(Fact):
    """A planted fact without label, schema or sample."""

    TYPE: ClassVar[str] = "case.planted"
    VERSION: ClassVar[int] = 1
    WRITER: ClassVar[Writer] = Writer.INTAKE

    round: int
    reason: str


SAID = [
    'case.planted: no fa label: write fa = "..." under ["case.planted"] in schemas/labels.toml',
    'case.planted: no en label: write en = "..." under ["case.planted"] in schemas/labels.toml',
    "case.planted: no golden sample of version 1: write schemas/samples/case.planted.v1.json, "
    "one line of JSON without spaces (round, reason)",
]


def test_a_fact_without_label_schema_and_sample_is_named_with_what_to_write_where() -> None:
    no_schema = "case.planted: no schema of version 1: run `python -m schemas write`"
    assert contract_files.faults(facts={"case.planted": _Planted}) == [*SAID, no_schema]


def test_check_and_write_say_everything_that_a_new_fact_lacks_and_end_without_a_traceback(
    released: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contract_files, "FACTS", {**FACTS, "case.planted": _Planted})
    documents = {name: (released / name).read_bytes() for name in ("INDEX.md", "asyncapi.json")}
    assert check(released) == 1
    assert set(SAID) < set(capsys.readouterr().out.splitlines())
    assert write_files(released) == 1
    assert capsys.readouterr().err.splitlines() == SAID
    assert documents == {name: (released / name).read_bytes() for name in documents}


def test_a_fact_that_is_in_no_union_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_files, "FACTS", {name: fact for name, fact in FACTS.items() if name != "case.rejected"})
    line = "case.rejected: CaseRejected is not in the union AnyFact: add it in schemas/facts/__init__.py"
    assert line in contract_files.faults()


def test_a_changed_released_version_is_refused_and_never_overwritten(released: Path) -> None:
    path = released / "json" / "case.withdrawn.v1.json"
    path.write_text(path.read_text().replace('"reason"', '"motive"'))
    before = path.read_text()
    facts = {"case.withdrawn": FACTS["case.withdrawn"]}
    assert any("is released and its schema changed" in fault for fault in contract_files.faults(released, facts))
    contract_files.write(released)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("sample", "words"), [('{"reason":"sold","extra":1}', "cannot be read"), ('{"reason": "sold"}', "byte for byte")]
)
def test_a_sample_that_does_not_fit_is_named(released: Path, sample: str, words: str) -> None:
    (released / "samples" / "case.withdrawn.v1.json").write_text(sample)
    (fault,) = contract_files.faults(released, {"case.withdrawn": FACTS["case.withdrawn"]})
    assert words in fault


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_golden_sample_is_read_and_written_again_byte_for_byte(name: str) -> None:
    version = FACTS[name].VERSION
    body = (contract_files.HERE / "samples" / f"{name}.v{version}.json").read_bytes().removesuffix(b"\n")
    fact = decode(name, version, body)
    assert encode(fact) == body
    assert name == fact.TYPE


def test_a_filing_from_before_consent_was_asked_is_read_and_claims_none() -> None:
    found = decode("case.submitted", 1, (contract_files.HERE / "samples" / "case.submitted.v1.json").read_bytes())
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

"""The catalogue holds what domain.md says, and refuses what does not hang together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas import catalogue as module
from schemas.catalogue import catalogue
from schemas.envelope.documents import Audience

TARGETS = {
    "building_permit": 15,
    "completion_certificate": 10,
    "no_violation": 10,
    "site_visit": 5,
    "bank_inquiry": 3,
    "department_inquiry": 5,
    "notary_inquiry": 5,
}


def test_the_seven_types_and_their_targets_are_those_of_the_domain() -> None:
    assert {key: kind.target_days for key, kind in catalogue().types.items()} == TARGETS


def test_a_permit_asks_the_agencies_of_the_domain() -> None:
    permit = catalogue().types["building_permit"]
    assert set(permit.agencies) == {"engineers", "fire", "social_security", "registry", "utilities", "heritage"}
    assert [stage.key for stage in permit.stages][:2] == ["identity_check", "site_visit"]
    assert permit.label("fa") == "پروانهٔ ساختمان"


@pytest.mark.parametrize("key", TARGETS)
def test_papers_that_reveal_the_owner_are_for_the_identity_clerk_only(key: str) -> None:
    revealing = {"title_deed", "identity_papers", "power_of_attorney", "heirs", "deed_last_page"}
    papers = {paper.key: paper.audience for paper in catalogue().types[key].documents}
    assert {audience for name, audience in papers.items() if name in revealing} == {Audience.IDENTITY_CLERK}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('decided_in = "technical_review"', 'decided_in = "identity_check"'),
        ('"heritage"]', '"moon"]'),
        ("target_days = 15", "target_days = 0"),
        ('stored = "property"', 'stored = "coded"'),
        ('audience = "reviewer"', 'audience = "everybody"'),
        ('key = "units"', 'key = "floors"'),
        ('en = "Building permit"', 'en = ""'),
    ],
)
def test_a_catalogue_that_does_not_hang_together_is_refused(tmp_path: Path, old: str, new: str) -> None:
    for path in Path(module.__file__).parent.glob("*.toml"):
        shutil.copy(path, tmp_path)
    permit = tmp_path / "building_permit.toml"
    before = permit.read_text()
    assert old in before
    permit.write_text(before.replace(old, new))
    with pytest.raises(ValidationError):
        catalogue(tmp_path)

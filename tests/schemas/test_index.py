"""The index finds the modules that name a fact, under whatever name they import it, and says when it can look nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.contract_files import ROOT
from schemas.envelope.fact import Writer
from schemas.facts import FACTS
from schemas.index import ROOMS, TESTED, index_text, missing_rooms, named_facts, uses

WAYS = {
    "from schemas.facts import review\nreview.CaseApproved": {"case.approved"},
    "from schemas.facts import inquiry as inquiries\nmatch x:\n case inquiries.InquiryOpened(blocking=True): pass": {
        "inquiry.opened"
    },
    "from schemas.facts.review import CaseApproved as Yes\nYes()": {"case.approved"},
    "import schemas.facts.review\nx: schemas.facts.review.CaseApproved | None": {"case.approved"},
    "import schemas.facts.review as r\nisinstance(x, r.CaseApproved | r.CaseRejected)": {"case.approved", "case.rejected"},
    "kinds = ('case.approved', 'case')": {"case.approved"},
    "from schemas.facts.review import CaseApproved": set(),
    "# schemas: review.CaseApproved is told with its certificate": set(),
    "from services.review import commands as review\nimport schemas\nreview.CaseApproved": set(),
}


@pytest.mark.parametrize(("source", "names"), WAYS.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_fact_is_found_under_whatever_name_it_is_imported_and_in_no_comment(source: str, names: set[str]) -> None:
    assert named_facts(source, FACTS) == names


def test_each_fact_is_decided_and_most_are_consumed_and_projected() -> None:
    found = uses(ROOT, FACTS)
    assert set(found["decided"]) == set(FACTS)
    assert len(found["consumed"]) >= 18
    assert len(found["projected"]) >= 30
    assert {path.split("/")[1] for path in found["projected"]["case.approved"]} == {"intake", "review", "inquiry"}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A source tree that has every room and names no fact."""
    for writer in Writer:
        for room in ROOMS.values():
            path = tmp_path / "services" / writer.value / f"{room}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    return tmp_path


def test_a_planted_module_of_a_room_is_listed_and_another_is_not(planted: Path) -> None:
    source = "from schemas.facts import review\nreview.CaseApproved"
    package = planted / "services/review" / ROOMS["decided"] / "verbs" / "approve.py"
    package.parent.mkdir(parents=True)
    for path in (package, planted / "services/review/pages.py", planted / "services/notify" / f"{ROOMS['projected']}.py"):
        path.write_text(source)
    found = uses(planted, FACTS)
    assert found["decided"] == {"case.approved": {package.relative_to(planted).as_posix()}}
    assert found["projected"] == {"case.approved": {f"services/notify/{ROOMS['projected']}.py"}}
    assert found["consumed"] == found[TESTED] == {}
    assert "| `services/review/decide/verbs/approve.py` | - | `services/notify/project.py` | - |" in index_text(
        planted, FACTS, {}
    )


def test_a_room_that_was_renamed_or_is_gone_is_said_instead_of_dashes(planted: Path) -> None:
    assert missing_rooms(planted) == []
    room = planted / "services/inquiry" / f"{ROOMS['consumed']}.py"
    room.rename(room.with_name("renamed.py"))
    (said,) = missing_rooms(planted)
    assert said.startswith(f"services/inquiry: no {room.name} and no {room.stem}/, which INDEX.md reads")


def test_this_repository_has_every_room_that_the_index_reads() -> None:
    assert missing_rooms(ROOT) == []

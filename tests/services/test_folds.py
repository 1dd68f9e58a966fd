"""Each fold names its facts, and leaves the others alone on purpose: a new fact is one or the other for every fold."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final, NamedTuple

import pytest

from schemas import clocks
from schemas.envelope.fact import Fact, Writer
from schemas.envelope.folds import StateFold
from schemas.facts import FACTS, AnyFact
from schemas.facts.intake import CaseSubmitted, CaseWithdrawn, IdentityConfirmed
from services.inquiry import decide as inquiry_decide
from services.inquiry import project as inquiry_project
from services.intake import decide as intake_decide
from services.intake import project as intake_project
from services.notify import decide as notify_decide
from services.review import decide as review_decide
from services.review import project as review_project
from tests.conftest import ROOT

IGNORED: Final = "schemas/ignored.toml"


class Fold(NamedTuple):
    """Where a service takes up facts."""

    facts: frozenset[type[Fact]]
    where: str
    """What names its facts, and in which file."""


FOLDS: Final = {
    "clocks": Fold(clocks.run.facts, "Moving in schemas/clocks.py"),
    "intake.state": Fold(intake_decide.evolve.facts, "Relevant in services/intake/decide/state.py"),
    "intake.rows": Fold(intake_project.change.facts | {CaseSubmitted}, "Changing in services/intake/project.py"),
    "review.state": Fold(review_decide.evolve.facts, "Relevant in services/review/decide/state.py"),
    "review.rows": Fold(review_project.change.facts, "Projected in services/review/project.py"),
    "inquiry.state": Fold(inquiry_decide.evolve.facts, "Relevant in services/inquiry/decide.py"),
    "inquiry.rows": Fold(inquiry_project.project.facts, "Projected in services/inquiry/project.py"),
    "notify.messages": Fold(frozenset(notify_decide._TOLD), "_TOLD in services/notify/decide.py"),
}
"""Every fold over facts that somebody has to choose. Not here: the rows of notify and audit, which are made of one fact each."""


def ignored() -> dict[str, list[str]]:
    return tomllib.loads((ROOT / IGNORED).read_text(encoding="utf-8"))


def undecided(facts: Mapping[str, type[Fact]], folds: Mapping[str, Fold], ignored: Mapping[str, Iterable[str]]) -> list[str]:
    """Where folded and ignored facts are not a partition of all facts: a sentence for each, with what to write where."""
    found = [f"{name}: there is no such fact: take its line out of {IGNORED}" for name in ignored if name not in facts]
    for name, fact in facts.items():
        by = set(ignored.get(name, ()))
        for fold, (folded, where) in folds.items():
            alone = by & {fold, fold.partition(".")[0]}
            if fact in folded and alone:
                found.append(f'{name}: "{min(alone)}" ignores it in {IGNORED}, and {where} names it: take one of them out')
            if fact not in folded and not alone:
                service, _, part = fold.partition(".")
                whole = f' (or "{service}", when nothing there folds it)' if part else ""
                found.append(
                    f"{name}: does {fold} fold it? If so, name {fact.__name__} in {where}; "
                    f'if not, write "{fold}"{whole} on its line in {IGNORED}'
                )
        known = {*folds, *(fold.partition(".")[0] for fold in folds)}
        found += [f'{name}: "{each}" in {IGNORED} is no fold: one of {sorted(known)}' for each in sorted(by - known)]
    return found


def test_folded_and_ignored_facts_are_all_facts_for_every_fold() -> None:
    assert undecided(FACTS, FOLDS, ignored()) == []


def test_every_writer_has_a_fold() -> None:
    assert {fold.partition(".")[0] for fold in FOLDS} == {"clocks", *(writer.value for writer in Writer)}


class Planted(Fact):
    """A fact of which no fold knows."""

    TYPE: ClassVar[str] = "case.planted"
    VERSION: ClassVar[int] = 1
    WRITER: ClassVar[Writer] = Writer.REVIEW


def test_a_fact_that_is_neither_folded_nor_ignored_is_asked_about_with_the_place_to_write_it() -> None:
    asked = undecided({**FACTS, "case.planted": Planted}, FOLDS, ignored() | {"case.planted": ["intake", "inquiry", "notify"]})
    assert [line.partition("? If so, ")[0] for line in asked] == [
        "case.planted: does clocks fold it",
        "case.planted: does review.state fold it",
        "case.planted: does review.rows fold it",
    ]
    assert "name Planted in Relevant in services/review/decide/state.py; if not, write" in asked[1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"case.withdrawn": ["notify", "review.state"]}, 'case.withdrawn: "review.state" ignores it'),
        ({"case.withdrawn": ["review"]}, 'case.withdrawn: "review" ignores it'),
        ({"case.withdrawn": ["reveiw"]}, 'case.withdrawn: "reveiw" in schemas/ignored.toml is no fold'),
        ({"case.gone": ["intake"]}, "case.gone: there is no such fact"),
    ],
)
def test_a_line_that_contradicts_the_code_is_named(line: dict[str, list[str]], said: str) -> None:
    assert undecided(FACTS, FOLDS, ignored() | line)[0].startswith(said)


def test_a_fold_leaves_the_state_as_it_is_at_a_fact_that_it_does_not_name() -> None:
    @StateFold
    def count(state: int, fact: CaseWithdrawn | IdentityConfirmed, _at: datetime) -> int:
        return state + 1

    now = datetime(2026, 11, 23, tzinfo=UTC)
    facts: list[AnyFact] = [CaseWithdrawn(reason="sold"), IdentityConfirmed()]
    assert [count(7, fact, now) for fact in facts] == [8, 8]
    assert count(7, notify_fact(), now) == 7
    assert sorted(kind.__name__ for kind in count.facts) == ["CaseWithdrawn", "IdentityConfirmed"]


def notify_fact() -> AnyFact:
    return FACTS["message.sent"].model_construct()  # type: ignore[return-value]

"""`python -m schemas new` writes stubs of which nothing is a lie, or says why not; it never ends in a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from schemas.__main__ import main, new_fact
from schemas.drafts import FILL_IN
from schemas.new_fact import NewFact
from tests.conftest import ROOT

GIVEN = (
    "--writer", "review", "--meaning", "The reviewer gave the citizen more time for a correction.",
    "--fa", "مهلت اصلاح تمدید شد و می‌گذرد", "--en", "The time for the correction was extended",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `schemas` reads of this repository."""
    root = tmp_path_factory.mktemp("house")
    for folder in ("schemas", "services"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "locale", "templates"))
    (root / "tests/services").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    schemas(root, "write")  # the tests that the index names are not here
    return root


@pytest.fixture
def house(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "house"))


def schemas(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    run = subprocess.run([sys.executable, "-m", "schemas", *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr, run.stderr
    return run


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_a_fact_that_is_wholly_given_needs_only_its_test(house: Path) -> None:
    fields = ("--field", "round: int", "--field", "until: AwareDatetime", "--field", "note: Sealable | None = None")
    made = schemas(house, "new", "case.planted", *GIVEN, *fields, "--ignored-by", "clocks,inquiry,intake.state")
    assert made.returncode == 0, made.stderr
    module = (house / "schemas/facts/review.py").read_text()
    assert module.endswith('''

class CasePlanted(ReviewFact):
    """The reviewer gave the citizen more time for a correction."""

    TYPE: ClassVar[str] = "case.planted"
    VERSION: ClassVar[int] = 1

    round: int
    until: AwareDatetime
    note: Sealable | None = None
''')
    assert "from pydantic import AwareDatetime\n" in module
    assert "    | review.CasePlanted\n" in (house / "schemas/facts/__init__.py").read_text()
    labels = tomllib.loads((house / "schemas/labels.toml").read_text())
    assert labels["case.planted"] == {"fa": GIVEN[5], "en": GIVEN[7]}
    ignored = tomllib.loads((house / "schemas/ignored.toml").read_text())
    assert ignored["case.planted"] == ["clocks", "inquiry", "intake.state"]
    assert json.loads((house / "schemas/json/case.planted.v1.json").read_text())["x-released"] is False

    left = schemas(house, "check")
    assert left.returncode == 1
    assert left.stdout.splitlines()[0].startswith("schemas/samples/case.planted.v1.json:1: fill in: ")
    assert left.stdout.splitlines()[1].startswith("tests/services/test_case_planted.py:")
    for path in ("schemas/samples/case.planted.v1.json", "tests/services/test_case_planted.py"):
        (house / path).write_text((house / path).read_text().replace(FILL_IN, "a"))
    assert schemas(house, "write").returncode == 0
    good = schemas(house, "check")
    assert good.returncode == 0, good.stdout
    assert "case.planted.v1: not released" in good.stdout
    assert schemas(house, "release").stdout.startswith("case.planted.v1: released at ")
    assert schemas(house, "check", "--released").returncode == 0


def test_what_is_not_given_is_marked_and_refused_until_it_is_filled_in(house: Path) -> None:
    made = schemas(house, "new", "case.drafted", "--writer", "notify", "--kind", "staff")
    assert made.returncode == 0
    marked = [line.partition(": fill in: ")[::2] for line in made.stdout.splitlines() if ": fill in: " in line]
    assert [(where.partition(":")[0], FILL_IN in what) for where, what in marked] == [
        ("schemas/facts/notify.py", True),
        ("schemas/facts/notify.py", True),
        ("schemas/labels.toml", True),
        ("schemas/labels.toml", True),
        ("tests/services/test_case_drafted.py", True),
    ]
    assert schemas(house, "check").returncode == 1
    test = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "tests/services/test_case_drafted.py"],
        cwd=house, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"Failed: {FILL_IN}: given, when, then(CaseDrafted)" in test.stdout


def test_the_stubs_are_as_the_linter_wants_them(house: Path) -> None:
    schemas(house, "new", "case.drafted", "--writer", "notify", "--kind", "staff", "--field", "by: Literal['a', 'b']")
    paths = ["schemas/facts", "tests/services/test_case_drafted.py"]
    for check in (["check", "-q"], ["format", "-q", "--check"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *check, *paths], cwd=house, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "Correction.Extended"}, "'Correction.Extended' is no wire name"),
        ({"name": "correction"}, "'correction' is no wire name"),
        ({"name": "../x.y"}, "'../x.y' is no wire name"),
        ({"name": "case.withdrawn"}, "case.withdrawn already exists (version 1, written by intake)"),
        ({"writer": "audit"}, "'audit' is no writer: one of intake, review, inquiry, notify"),
        ({"kind": "street"}, "'street' is no kind of stream"),
        ({"fields": ("until",)}, "'until' is no field: a name and a type"),
        ({"fields": ("until: tuple[",)}, "'until: tuple[' is no field"),
        ({"fields": ("x: int\nimport os",)}, "is no field"),
        ({"fields": ("until: Moment",)}, "'until: Moment': Moment is no type that schemas/facts/review.py knows"),
        ({"fields": ("x: int", "x: str")}, "'x: str': a field has a name of its own"),
        ({"fields": ("TYPE: str",)}, "'TYPE: str': a field has a name of its own, in small letters"),
        ({"fields": ("x: 'Nowhere'",)}, "a.b: these fields make no model: "),
        ({"fields": ("x: int = Field(gt='x')",)}, "a.b: these fields make no model: "),
        ({"ignored_by": ("nobody",)}, "'nobody' ignores no fact: one of clocks, "),
        ({"en": "two\nlines"}, "en must be one line of text"),
        ({"meaning": 'ends with "'}, "meaning must be one line of text"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_said_in_a_sentence_and_nothing_is_written(
    whole: Path, asked: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(whole)
    assert new_fact(NewFact(**{"name": "a.b", "writer": "review"} | asked), whole) == 1
    assert said in capsys.readouterr().err
    assert files(whole) == before


def test_everything_that_cannot_be_is_said_at_once(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new_fact(NewFact(name="x", writer="y", kind="z", ignored_by=("u",)), whole) == 1
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_a_fact_that_was_stubbed_already_is_not_overwritten(house: Path) -> None:
    assert schemas(house, "new", "case.drafted", "--writer", "notify").returncode == 0
    before = files(house)
    again = schemas(house, "new", "case.drafted", "--writer", "notify")
    assert again.returncode == 1
    assert "case.drafted already exists" in again.stderr
    assert files(house) == before


@pytest.mark.parametrize("arguments", [(), ("new",), ("new", "a.b"), ("other",), ("check", "--strict")])
def test_a_wrong_command_line_is_told_where_the_usage_is(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(arguments)) == 2
    assert "--help` says what there is" in capsys.readouterr().err

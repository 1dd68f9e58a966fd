"""Every command of docs/promises.md and of README's promises names something that is there; one that does not is found."""

from __future__ import annotations

import pytest

from deploy.local.processes import MIGRATIONS, PROCESSES
from tests.conftest import ROOT
from tests.docs.promises import Known, broken, known, lines, runnable

PAGE = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
HEAD = "| promise | command |\n|---|---|\n"


@pytest.fixture(scope="module")
def there() -> Known:
    return known(ROOT)


def test_every_command_of_the_page_names_something_that_is_there(there: Known) -> None:
    assert broken(PAGE, there) == []


def test_readme_is_short_and_its_seven_commands_name_something_that_is_there(there: Known) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    promises = readme.partition("## Seven promises")[2].partition("\n## ")[0]
    assert len(list(lines(promises))) == 7
    assert broken(promises, there) == []
    assert len(readme.splitlines()) <= 120


def test_the_page_is_read_to_its_end() -> None:
    assert len(list(lines(PAGE))) == sum(line.count("` |") for line in PAGE.splitlines()) > 40


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("`pytest tests/caselog/test_gone.py`", "there is no test in tests/caselog/test_gone.py"),
        ("`pytest tests/caselog/test_append.py tests/gone`", "there is no test in tests/gone"),
        ("`pytest tests/caselog/vectors.py`", "there is no test in tests/caselog/vectors.py"),
        ("`pytest tests/caselog/test_append.py::test_gone`", "there is no test in tests/caselog/test_append.py::test_gone"),
        ("`pytest tests/journeys/test_1_permit.py -k gone`", "-k gone selects no test"),
        ("`pytest`", "pytest without a path"),
        ("`make gone`", "make knows no target gone"),
        ("`make bench gone`", "gone is no setting of make"),
        ("`python -m services.gone verify`", "there is no module services.gone to run"),
        ("`python -m gone`", "there is no module gone to run"),
        ("`python -m caselog.append`", "there is no module caselog.append to run"),
        ("`rm -r gone`", "rm -r gone is not a command that this check can follow"),
        ("see the tests", "a promise without a command"),
    ],
)
def test_a_planted_line_that_points_at_nothing_is_found(there: Known, command: str, why: str) -> None:
    assert broken(f"{HEAD}| planted | {command} |\n", there) == [f"line 3: {why}"]


def test_a_planted_line_after_text_and_in_a_second_table_is_found(there: Known) -> None:
    page = f"{HEAD}| one | `pytest tests/docs` |\n\nText.\n\n{HEAD}| two | `make gone` |\n"
    assert broken(page, there) == ["line 9: make knows no target gone"]


@pytest.mark.parametrize("module", sorted({*MIGRATIONS, *(each.module for each in PROCESSES)}))
def test_every_process_that_is_started_and_every_module_that_migrates_can_be_run(module: str) -> None:
    # A module that was moved and is named in a table only, as text, is missed by the type checker.
    assert runnable(module)

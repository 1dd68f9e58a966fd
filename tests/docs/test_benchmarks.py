"""docs/benchmarks.md is what docs/benchmarks.json gives, and says of each figure from which run it comes."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import page
from tests.bench.lines import Aim
from tests.bench.runs import RUNS, Machine, Result, Run, commit, machine
from tests.conftest import ROOT

RESULT = Result(
    "append-32", "append, 32 callers", "/s", 9_570.0, (9_000.0, 9_570.0), "pgbench", 19_616.0, (), 0.49, Aim(ratio=1.5)
)
RUN = Run(
    at="2026-11-28T10:00:00+00:00", commit="abc1234", source="`make bench`",
    machine=Machine(2, 23.5, "AMD EPYC", "Linux 6.1, x86_64", "3.11.7", "18.6"), short=False, rounds=5, seconds=3.0,
    facts=1_000_000, parts=("append",), took_seconds=900.0, seed=1, results=(RESULT,), notes=("CPU of one append: 102 us",),
)  # fmt: skip
EMPTY = f"# Title\n\nby hand\n\n{page.BEGIN}\n{page.END}\n\nalso by hand\n"


def test_the_page_is_what_the_json_gives() -> None:
    assert page.stale(ROOT) == []


def _checkout(root: Path, *runs: Run) -> Path:
    (root / "docs").mkdir()
    (root / page.JSON).write_bytes(RUNS.dump_json(list(runs)))
    (root / page.PAGE).write_text(EMPTY)
    page.write(root)
    assert page.stale(root) == []
    return root / page.PAGE


def test_a_figure_that_is_changed_on_the_page_alone_is_found(tmp_path: Path) -> None:
    written = _checkout(tmp_path, RUN)
    written.write_text(written.read_text().replace("9,570", "19,570"))
    (found,) = page.stale(tmp_path)
    assert found.startswith("docs/benchmarks.md is not what docs/benchmarks.json gives: run ")


def test_a_run_that_is_changed_in_the_json_alone_is_found(tmp_path: Path) -> None:
    _checkout(tmp_path, RUN)
    (tmp_path / page.JSON).write_bytes(RUNS.dump_json([replace(RUN, commit="def5678")]))
    assert len(page.stale(tmp_path)) == 1


@pytest.mark.parametrize("json", ["", "[{]", '[{"at": "2026-11-28"}]'])
def test_a_json_that_cannot_be_read_is_said_and_no_traceback(tmp_path: Path, json: str) -> None:
    _checkout(tmp_path, RUN)
    (tmp_path / page.JSON).write_text(json)
    (found,) = page.stale(tmp_path)
    assert found.startswith("docs/benchmarks.md cannot be made from docs/benchmarks.json: ")


def test_a_page_without_its_markers_or_its_json_is_found(tmp_path: Path) -> None:
    written = _checkout(tmp_path, RUN)
    written.write_text("# Title\n")
    assert "markers" in page.stale(tmp_path)[0]
    (tmp_path / page.JSON).unlink()
    assert "No such file" in page.stale(tmp_path)[0]


def test_the_page_shows_commit_date_machine_length_ratio_and_aim_and_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    shown = _checkout(tmp_path, RUN).read_text()
    assert shown.startswith("# Title\n\nby hand\n")
    assert shown.endswith("also by hand\n")
    for words in (
        "28 November 2026", "`abc1234`", "2 cores, 23.5 GiB, AMD EPYC, Linux 6.1, x86_64, Python 3.11.7, PostgreSQL 18.6",
        "5 rounds of 3 s, medians, a log of 1,000,000 facts, parts: append; 900 s in all", "CPU of one append: 102 us",
        "| **0.49** | append, 32 callers | 9,570 /s (9,000 to 9,570) | pgbench | 19,616 /s | >= 1.5x not reached |",
    ):  # fmt: skip
        assert words in shown


def test_a_short_run_is_named_so_and_never_shown_as_the_last(tmp_path: Path) -> None:
    short = replace(RUN, at="2026-11-30", commit="0005407", short=True)
    shown = _checkout(tmp_path, RUN, short).read_text()
    assert "## The last whole run: 28 November 2026" in shown
    assert "30 November 2026, `0005407` (short)" in shown
    assert "SHORT, which shows that it runs and no more" in shown


def test_a_peer_that_gave_nothing_is_words_on_the_page(tmp_path: Path) -> None:
    silent = replace(RESULT, peer_median=None, ratio=None, missing=("pgbench: it printed no rate",))
    shown = _checkout(tmp_path, replace(RUN, results=(silent,))).read_text()
    assert "| **–** | append, 32 callers | 9,570 /s (9,000 to 9,570) | pgbench | – | >= 1.5x not measured |" in shown
    assert "- No figure: append, 32 callers: pgbench: it printed no rate" in shown


def test_a_run_of_the_same_day_and_commit_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    _checkout(tmp_path, RUN)
    page.record(tmp_path, replace(RUN, at="2026-11-28T11:00:00+00:00", rounds=7))
    page.record(tmp_path, replace(RUN, at="2026-11-29T11:00:00+00:00"))
    assert [(run.at[:10], run.rounds) for run in page.read(tmp_path)] == [("2026-11-29", 5), ("2026-11-28", 7)]
    assert page.stale(tmp_path) == []


def test_memory_stands_in_a_table_of_its_own(tmp_path: Path) -> None:
    memory = Result("memory", "memory of the whole house", "MB", 1_300.0, (), "its servers", 420.0, (), 3.1, Aim())
    run = replace(RUN, parts=("memory",), results=(memory,), notes=("memory: Kafka 271 MB in 1, ours 880 MB in 12 processes",))
    shown = _checkout(tmp_path, RUN, run).read_text()
    assert "| 28 November 2026, `abc1234` | 1,300 MB | 420 MB | 3.1 | Kafka 271 MB in 1, ours 880 MB in 12 processes |" in shown
    assert "append, 32 callers" in shown


def test_a_machine_is_described_and_not_named() -> None:
    here = machine()
    assert here.cores >= 1
    assert here.python == platform.python_version()
    assert here.postgresql.startswith("18.")
    assert platform.node() not in (here.processor, here.system)


def test_a_commit_says_whether_the_checkout_has_changes(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"
    for line in ("init -q", "config user.name n", "config user.email e@example.org"):
        subprocess.run(["git", *line.split()], cwd=tmp_path, check=True)
    for name in ("code", "page"):
        (tmp_path / name).write_text("one")
    subprocess.run("git add . && git commit -qm one", shell=True, cwd=tmp_path, check=True)
    clean = commit(tmp_path)
    assert len(clean) == 7
    (tmp_path / "page").write_text("two")
    assert commit(tmp_path, ("page",)) == clean
    (tmp_path / "code").write_text("two")
    assert commit(tmp_path, ("page",)) == f"{clean} with changes"

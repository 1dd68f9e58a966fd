"""docs/benchmarks.md from docs/benchmarks.json: `python -m tests.bench.page write | check`; `make bench` writes both.

Only what stands between the two markers of the page is made; the words around it are kept by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from schemas.command_line import command_line
from schemas.command_line import run as carry_out
from tests.bench.lines import figure, spread
from tests.bench.runs import RUNS, Machine, Result, Run
from tests.conftest import ROOT

JSON: Final = Path("docs/benchmarks.json")
PAGE: Final = Path("docs/benchmarks.md")
BEGIN: Final = "<!-- begin: made by `make bench` from benchmarks.json; what is changed here by hand is lost -->"
END: Final = "<!-- end: made by `make bench` -->"
HOW: Final = "run `make write`"
MEMORY: Final = "memory"
"""The key of the line that stands in a table of its own: the memory of a house does not drift with the machine's speed."""
MEMORY_NOTE: Final = "memory: "
"""So the note begins that says whose memory it is."""
NONE: Final = "–"
HOW_MEMORY: Final = """\
`make run` on an empty directory, when it has said ready and nobody is signed in: the proportional set size (PSS, a shared page
counted once) of the supervisor and all that it started, the median of some looks. The ratio is to PostgreSQL and Kafka of the
same house, without which there is no house."""


class PageError(Exception):
    """The page cannot be made; the text says why."""


def read(root: Path) -> list[Run]:
    """The runs that are kept, the newest first."""
    return sorted(RUNS.validate_json((root / JSON).read_bytes()), key=lambda run: run.at, reverse=True)


def stale(root: Path) -> list[str]:
    """What is wrong with the page of this checkout; nothing when it is what the JSON gives."""
    if not (root / PAGE).exists() and not (root / JSON).exists():
        return []
    try:
        page = (root / PAGE).read_text(encoding="utf-8")
        fresh = made(page, read(root))
    except (OSError, ValueError, PageError) as error:
        return [f"{PAGE} cannot be made from {JSON}: {error}"]
    return [] if page == fresh else [f"{PAGE} is not what {JSON} gives: {HOW}"]


def record(root: Path, run: Run) -> None:
    """Keep a run, in the place of one of the same day, commit and length over the same parts, and make the page anew."""
    kept = [run, *(each for each in read(root) if _same(each) != _same(run))]
    (root / JSON).write_bytes(RUNS.dump_json(sorted(kept, key=lambda each: each.at, reverse=True), indent=1) + b"\n")
    write(root)


def write(root: Path) -> None:
    """Make the page anew from the JSON. Raises PageError when the page has lost its markers."""
    page = root / PAGE
    page.write_text(made(page.read_text(encoding="utf-8"), read(root)), encoding="utf-8")


def made(page: str, runs: Sequence[Run]) -> str:
    """The page with its made part replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PageError("it has lost the two markers between which the figures stand")
    body = "\n".join(_body(runs))
    return f"{before}{BEGIN}\n\n{body}\n{END}{after}"


def _same(run: Run) -> tuple[str, str, bool, tuple[str, ...]]:
    return (run.at[:10], run.commit, run.short, run.parts)


def _body(runs: Sequence[Run]) -> Iterator[str]:
    speed = [run for run in runs if any(each.key != MEMORY for each in run.results)]
    if speed:
        yield from _latest(_to_show(speed))
        yield from _beside(speed)
    yield from _memory([run for run in runs if any(each.key == MEMORY for each in run.results)])
    yield from _runs(runs)


def _to_show(runs: Sequence[Run]) -> Run:
    """The newest whole run; a short one shows only that the bench runs, and a part of it is not the whole."""
    lines = max(len(run.results) for run in runs)
    whole = [run for run in runs if not run.short and 2 * len(run.results) > lines]
    return (whole or list(runs))[0]


def _latest(run: Run) -> Iterator[str]:
    yield f"## The last whole run: {_day(run.at)}\n"
    yield f"{_about(run)}\n"
    yield "| ratio | what was measured | figure | beside | its figure | aim |"
    yield "|---:|---|---|---|---|---|"
    for each in run.results:
        yield (
            f"| **{_ratio(each)}** | {each.name} | {_with_spread(each.median, each.values, each.unit)} | {each.peer} "
            f"| {_with_spread(each.peer_median, each.peer_values, each.unit)} | {_aim(each)} |"
        )
    yield ""
    missing = [f"- No figure: {each.name}: {why}" for each in run.results for why in each.missing]
    yield from [*missing, ""] if missing else ()


def _beside(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Every run that was kept, the newest first\n"
    yield "The ratio, and behind it the figure. Read along a line: the machines differ, and a ratio drifts less than a figure.\n"
    yield f"| what, beside what | {' | '.join(_head(run) for run in runs)} |"
    yield f"|---|{'---|' * len(runs)}"
    names = {each.key: f"{each.name}, beside {each.peer}" for run in reversed(runs) for each in run.results if each.key != MEMORY}
    order = list(dict.fromkeys(each.key for run in runs for each in run.results if each.key != MEMORY))
    for key in order:
        yield f"| {names[key]} | {' | '.join(_cell(run, key) for run in runs)} |"
    yield ""


def _memory(runs: Sequence[Run]) -> Iterator[str]:
    if not runs:
        return
    yield "## Memory of the whole local house\n"
    yield f"{HOW_MEMORY}\n"
    yield "| commit | the house | PostgreSQL and Kafka of it | ratio | of which |"
    yield "|---|---|---|---:|---|"
    for run in runs:
        each = next(each for each in run.results if each.key == MEMORY)
        note = next((note.removeprefix(MEMORY_NOTE) for note in run.notes if note.startswith(MEMORY_NOTE)), NONE)
        house, servers = _with_unit(each.median, each.unit), _with_unit(each.peer_median, each.unit)
        yield f"| {_head(run)} | {house} | {servers} | {_ratio(each)} | {note} |"
    yield ""


def _runs(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Where the runs were made\n"
    yield "| run | made by | machine | length |"
    yield "|---|---|---|---|"
    for run in runs:
        yield f"| {_head(run)} | {run.source} | {_machine(run.machine)} | {_length(run)} |"
    yield ""
    for run in runs:
        yield from (f"- {_head(run)}: {note}" for note in run.notes)
    yield ""


def _about(run: Run) -> str:
    return f"Commit `{run.commit}` ({run.source}). {_machine(run.machine)}. {_length(run).capitalize()}."


def _length(run: Run) -> str:
    if run.parts == (MEMORY,):
        return "one start of the house"
    took = f"; {run.took_seconds:,.0f} s in all" if run.took_seconds else ""
    kind = "SHORT, which shows that it runs and no more" if run.short else f"{run.rounds} rounds of {run.seconds:g} s, medians"
    return f"{kind}, a log of {run.facts:,} facts, parts: {', '.join(run.parts)}{took}"


def _machine(machine: Machine) -> str:
    memory = f", {machine.memory_gib:g} GiB" if machine.memory_gib is not None else ""
    return (
        f"{machine.cores} cores{memory}, {machine.processor}, {machine.system}, Python {machine.python}, "
        f"PostgreSQL {machine.postgresql}"
    )


def _head(run: Run) -> str:
    return f"{_day(run.at)}, `{run.commit}`{' (short)' if run.short else ''}"


def _day(at: str) -> str:
    day = date.fromisoformat(at[:10])
    return f"{day.day} {day:%B %Y}"


def _cell(run: Run, key: str) -> str:
    found = next((each for each in run.results if each.key == key), None)
    if found is None:
        return NONE
    return f"**{_ratio(found)}** · {_with_unit(found.median, found.unit)}"


def _ratio(result: Result) -> str:
    if result.ratio is None:
        return NONE
    return f"{result.ratio:.2f}" if result.ratio < 2 else f"{result.ratio:.1f}"


def _aim(result: Result) -> str:
    return result.aim.verdict(result.median, result.ratio)


def _with_unit(value: float | None, unit: str) -> str:
    return NONE if value is None else f"{figure(value)} {unit}"


def _with_spread(value: float | None, values: Sequence[float], unit: str) -> str:
    around = f" ({spread(values)})" if len(values) > 1 else ""
    return _with_unit(value, unit) + around


app = command_line("Make docs/benchmarks.md from docs/benchmarks.json, or check it.")


@app.command()
def check() -> int:
    """Compare the page with what the JSON gives.

    Exit code 1: they differ, and a line says what to do.
    """
    wrong = stale(ROOT)
    print("\n".join(wrong) or "benchmarks: up to date")
    return 1 if wrong else 0


@app.command(name="write")
def write_page() -> int:
    """Make the page anew.

    Exit code 1: it has lost its markers, or the JSON cannot be read.
    """
    try:
        write(ROOT)
    except (OSError, ValueError, PageError) as error:
        print(f"{PAGE} cannot be made from {JSON}: {error}")
        return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """The exit code of one command."""
    return carry_out(app, "python -m tests.bench.page", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

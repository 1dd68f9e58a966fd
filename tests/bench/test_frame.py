"""The frame of the bench: what a line says, and that a run which is broken off leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local.postgres import Postgres
from deploy.local.subprocesses import StackError, wait_until
from tests.bench import __main__ as bench_main
from tests.bench import page
from tests.bench.append import appends
from tests.bench.filing import Order, crowd
from tests.bench.harness import Bench, sampled
from tests.bench.lines import Aim, Line, table
from tests.bench.pgbench import Pgbench
from tests.bench.runs import RUN, Machine, Result, Run
from tests.bench.samples import NoFigure, NothingMeasured, each, median, percentile99, rate, understood
from tests.conftest import ROOT
from tests.databases import Databases


def test_a_ratio_is_taken_round_by_round_so_that_drift_meets_both_alike() -> None:
    drifting = Line("key", "figure", (100.0, 10.0, 40.0), "peer", (50.0, 5.0, 20.0))
    assert drifting.ratio == 2.0
    assert drifting.median == 40.0
    assert drifting.cells()[1:3] == ("40 /s", "10 to 100")


def test_a_peer_of_other_rounds_is_compared_by_its_median() -> None:
    line = Line("key", "figure", (30.0,), "peer", (10.0, 20.0, 5.0), aim=Aim(ratio=2))
    assert line.ratio == 3.0
    assert (line.median, line.peer_median) == (30.0, 10.0)
    assert line.cells()[-1] == ">= 2x"
    assert line.aim.verdict(line.median, line.ratio) == ">= 2x reached"


def test_an_aim_says_of_each_of_its_parts_whether_it_is_reached() -> None:
    assert Aim(figure=14_000, ratio=1.5).verdict(17_353, 0.53) == ">= 14,000 reached; >= 1.5x not reached"
    assert Aim(figure=5, ratio=1.5, at_most=True).verdict(2.39, 1.6) == "<= 5 reached; <= 1.5x not reached"
    assert Aim(figure=5).verdict(None, None) == ">= 5 not measured"
    assert Aim().verdict(1, 1) == ""


def test_a_peer_that_gave_nothing_is_said_in_words_in_the_table_and_the_json() -> None:
    silent = NoFigure("pgbench: it printed no rate")
    line = Line("key", "append", (10.0, 20.0), "pgbench", (silent, silent))
    assert line.ratio is None
    assert line.cells()[3:7] == ("pgbench", "no figure", "-", "-")
    shown = Console(width=120, file=StringIO(), record=True)
    shown.print(table([line], "title"))
    assert "no figure: append: pgbench: it printed no rate" in shown.export_text()
    result = Result.of(line)
    assert (result.peer_median, result.peer_values, result.ratio) == (None, (), None)
    assert result.missing == ("pgbench: it printed no rate",)


def test_a_round_without_a_peer_counts_for_the_figure_and_not_for_the_ratio() -> None:
    line = Line("key", "figure", (10.0, 20.0, 90.0), "peer", (5.0, NoFigure("cut"), 10.0))
    assert line.ratio == 5.5
    assert line.median == 20.0
    assert line.missing == ("cut",)


@pytest.mark.parametrize("nothing", [0.0, float("nan"), float("inf")])
def test_nothing_is_divided_by_a_peer_of_zero(nothing: float) -> None:
    line = Line("key", "figure", (10.0,), "peer", (nothing,))
    assert line.ratio is None
    assert line.peer_median is None
    assert line.missing[0].startswith("peer: ")


def test_few_or_no_samples_are_words_and_no_error() -> None:
    assert percentile99([], "timelines") == NoFigure("timelines: 0 done, too few for a percentile")
    assert percentile99([1.0], "timelines") == NoFigure("timelines: 1 done, too few for a percentile")
    assert median([], "filing") == NoFigure("filing: nothing was done")
    assert rate(0, 1.0, "append") == NoFigure("append: nothing was done")
    assert rate(5, 0.0, "append") == NoFigure("append: nothing was done")
    assert each(0, 1.0, 1e6) == "none was done"


PRINTED = """pgbench (18.6)
number of transactions actually processed: 320/320
latency average = 0.510 ms
initial connection time = 80.100 ms
tps = 19616.250000 (without initial connection time)
"""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (":", "it printed no rate; its last line: nothing at all"),
        ("echo 'number of transactions actually processed: 0/320'", "actually processed: 0/320"),
        ("echo 'tps = 0.000000 (without initial connection time)'", "nothing was done"),
        ("printf 'tps = 196'", "it printed no rate; its last line: tps = 196"),
        ("echo 'tps = many (a second)'", "it printed no rate"),
        ("printf '\\377\\376'", "it printed no rate"),
        ("echo 'connection to server failed' >&2; exit 1", "it ended with code 1: connection to server failed"),
        ("exec sleep 60", "not done after 1 s"),
    ],
)
def test_a_pgbench_that_gives_no_rate_is_words(tmp_path: Path, script: str, words: str) -> None:
    found = _pgbench(tmp_path, script).inserts(32, 0.3, deadline=0.7)
    assert isinstance(found, NoFigure)
    assert found.why.startswith("pgbench, 32 clients: ")
    assert words in found.why


def test_a_pgbench_that_is_not_there_is_words(tmp_path: Path) -> None:
    found = Pgbench(tmp_path / "missing", tmp_path / "insert.sql", SERVER).inserts(1, 0.3)
    assert found == NoFigure("pgbench, 1 clients: it could not be started: No such file or directory")


def test_pgbench_is_asked_for_transactions_and_not_for_a_time(tmp_path: Path) -> None:
    program = _pgbench(tmp_path, f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/printed')
    (tmp_path / "printed").write_text(PRINTED)
    assert program.inserts(32, 0.001) == 19616.25
    asked = (tmp_path / "asked").read_text().split()
    assert "-T" not in asked
    assert asked[asked.index("-t") + 1] == "1"  # at least one for each client, however short the round


SERVER = {"host": "127.0.0.1", "port": 1, "user": "owner", "database": "caselog", "password": "-"}


def _pgbench(directory: Path, script: str) -> Pgbench:
    program = directory / "pgbench"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Pgbench(program, directory / "insert.sql", SERVER)


@pytest.mark.parametrize(
    ("out", "code", "words"),
    [
        (b"", 0, "a child said nothing"),
        (b"[1.5, 2.", 0, "the answer of a child is cut off after 8 bytes"),
        (b'{"nothing": "the door hung up"}', 0, "a child: the door hung up"),
        (b"[1.5]", 1, "a child ended with code 1"),
        (b"", -9, "a child ended with code -9"),
    ],
)
def test_an_answer_that_is_none_is_words(out: bytes, code: int, words: str) -> None:
    with pytest.raises(NothingMeasured, match=re.escape(words)):
        understood(out, code, "a child")


async def test_a_side_that_fails_costs_its_round_and_a_bug_still_raises() -> None:
    async def hung_up() -> float:
        async with asyncio.TaskGroup():
            raise ConnectionResetError("the server hung up")

    async def bug() -> float:
        raise TypeError("ours")

    assert await sampled(hung_up()) == NoFigure("ConnectionResetError: the server hung up")
    with pytest.raises(TypeError):
        await sampled(bug())


async def test_a_part_that_cannot_begin_takes_no_other_part_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def broken(_bench: Bench) -> list[Line]:
        raise StackError("Kafka did not start")

    async def sound(_bench: Bench) -> list[Line]:
        return [Line("reading", "verify", (1.0,), "hashlib", (2.0,))]

    monkeypatch.setattr(bench_main, "PARTS", {"bus": broken, "reading": sound})
    bench = Bench(Postgres(tmp_path), tmp_path, 1, 0.1, 10, Console(file=StringIO()))
    lost, kept = await bench_main.measured(bench, ["bus", "reading"])
    assert (lost.median, lost.missing) == (None, ("StackError: Kafka did not start",))
    assert kept.median == 1.0


def test_a_silent_peer_is_no_failure_and_a_missing_figure_of_ours_is_one() -> None:
    silent = NoFigure("nothing")
    assert bench_main.exit_code([Line("key", "append", (1.0,), "pgbench", (silent,))]) == 0
    assert bench_main.exit_code([Line("key", "append", (silent,), "pgbench", (1.0,))]) == 1


@pytest.mark.parametrize(("code", "kept"), [(0, ["2026-11-28"]), (1, [])])
def test_a_run_in_which_a_figure_of_ours_is_missing_is_not_kept_on_the_page(code: int, kept: list[str], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / page.JSON).write_text("[]")
    (tmp_path / page.PAGE).write_text(f"{page.BEGIN}\n{page.END}\n")
    asked = bench_main.Asked(False, 5, 3.0, 1_000_000, ("bus",), tmp_path / "var" / "bench.json", record=True)
    here = Machine(2, None, "-", "-", "-", "-")
    run = Run("2026-11-28", "abc1234", "`make bench`", here, False, 5, 3.0, 1_000_000, ("bus",), 1.0, 1, ())
    bench_main.keep(asked, run, code, Console(file=StringIO()), tmp_path)
    assert [each.at for each in page.read(tmp_path)] == kept
    assert RUN.validate_json(asked.output.read_bytes()) == run


async def test_a_door_that_hangs_up_or_speaks_no_http_is_words() -> None:
    for spoken, words in ((b"", "hung up"), (b"HTTP/1.1 200 OK\r\nContent-Le", "hung up"), (b"\r\n\r\n", "no HTTP")):

        async def answering(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spoken: bytes = spoken) -> None:
            writer.write(spoken)
            writer.close()

        server = await asyncio.start_server(answering, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        order = Order("GET", port, "/empty", 0.1, ("", ""), ({}, {}), {}, 204)
        async with server:
            with pytest.raises(NothingMeasured, match=words):
                await crowd(order)


async def test_each_person_of_a_crowd_asks_at_least_once_however_short_the_round_is() -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answering, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await crowd(Order("GET", port, "/empty", 0.0, ("", ""), ({}, {}), {}, 204))
    assert outcome.done == 2


async def test_an_appender_appends_at_least_once_however_short_the_round_is(databases: Databases) -> None:
    run = await appends(databases, 3, "short", 0.0)
    assert run.done == 3


def test_a_server_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    (tmp_path / "program").write_text(
        "import sys\nfrom deploy.local.subprocesses import StackError\nfrom deploy.local.postgres import Postgres\n"
        "def start(self, port=None): raise StackError('PostgreSQL did not start')\nPostgres.start = start\n"
        "from tests.bench.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    run = subprocess.run(
        [sys.executable, str(tmp_path / "program"), "--short", "--output", str(output)],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "nothing was measured: PostgreSQL did not start" in run.stderr
    assert "Traceback" not in run.stderr
    assert not output.exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_broken_off_leaves_no_process_and_no_file(how: signal.Signals, tmp_path: Path) -> None:
    told, output = tmp_path / "told", tmp_path / "bench.json"
    with told.open("w") as stderr:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.bench", "--short", "--output", str(output)],
            cwd=ROOT, stderr=stderr, env={**os.environ, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
    wait_until(lambda: run.poll() is not None or "append: 1 rounds" in told.read_text(), 60, "the first line of progress")
    assert run.poll() is None, told.read_text()
    assert _holding(tmp_path) != []  # PostgreSQL at least: the look would find what was left
    run.send_signal(how)
    assert run.wait(timeout=30) == 130
    assert _holding(tmp_path) == []
    assert not list(tmp_path.glob("parvandeh-bench-*"))
    assert not output.exists()


def _holding(directory: Path) -> list[str]:
    """The commands of running processes that name a file in `directory`, without the bench itself."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(directory) in command and "tests.bench" not in command:
            found.append(command)
    return found

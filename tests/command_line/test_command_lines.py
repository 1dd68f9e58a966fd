"""Every command line: help, version, a mistake in one sentence, and never a value that was typed."""

from __future__ import annotations

import importlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Final, cast

import pytest
import typer

from schemas.build import Build
from schemas.command_line import CommandLine, Version, command_line, run
from tests.conftest import ROOT

SERVICE: Final = ("migrate", "serve", "demonstration", "rebuild", "parked", "release", "revoke", "subject", "account")
DESKS: Final = {
    "intake": ("agenda", "office"),
    "review": ("agenda", "reviewer"),
    "inquiry": ("agenda", "agency"),
    "notify": ("agenda",),
    "audit": (),
}
MODULES: Final = {
    "schemas": ("check", "write", "release", "new"),
    "caselog": ("migrate", "verify", "timeline"),
    "chassis.runtime.relay_process": ("migrate",),
    "chassis.privacy": ("migrate",),
    **{f"services.{name}": (*SERVICE, *own) for name, own in DESKS.items()},
    "services.review.verify_draw": ("verify",),
    "deploy.demo": (),
    "deploy.kafka": ("acls", "cluster"),
    "deploy.local": ("run", "verify", "service", "rebuild", "parked", "reset"),
    "deploy.openapi": ("check", "write"),
    "deploy.reference": ("check", "write"),
    "deploy.witness": ("key",),
    "tests.bench": (),
    "tests.bench.page": ("check", "write"),
}
"""Module -> its commands."""
Says = Callable[..., tuple[int, str, str]]


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Says:
    """The exit code of a command line, and what it said on stdout and on stderr.

    In this process: each module that was started as a process of its own would cost a second.
    """

    def said(module: str, *words: str, **environment: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name in [each for each in os.environ if each.startswith("PARVANDEH_")]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            code = main_of(module)(list(words))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return said


def main_of(module: str) -> Callable[[list[str]], int]:
    found = importlib.import_module(module)
    main = (importlib.import_module(f"{module}.__main__") if hasattr(found, "__path__") else found).main
    return cast(Callable[[list[str]], int], main)


def is_one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and text.endswith("\n") and "Traceback" not in text


@pytest.mark.parametrize("module", MODULES)
def test_help_says_what_there_is_and_version_which_code_it_is(module: str, says: Says) -> None:
    code, out, err = says(module, "--help")
    assert (code, err) == (0, "")
    listed = re.findall(r"^  (\w+)  ", out.partition("Commands:")[2], re.MULTILINE)
    assert sorted(listed) == sorted(MODULES[module])
    assert "\x1b" not in out  # a pipe gets no colours
    code, out, err = says(module, "--version")
    assert (code, err) == (0, "")
    assert out.startswith(f"parvandeh {Build.of().version} (commit ")


@pytest.mark.parametrize("module", MODULES)
def test_a_mistake_is_one_sentence_and_exit_code_2(module: str, says: Says) -> None:
    for words in (["hunter2-x"], ["--password", "hunter2-x"], ["--password=hunter2-x"], ["-phunter2-x"]):
        code, out, err = says(module, *words)
        assert (code, out) == (2, ""), err
        assert is_one_sentence(err), err
        assert err.startswith(f"python -m {module}: there is ")
        assert "hunter2" not in err


def test_a_setting_that_is_missing_or_wrong_is_one_sentence(says: Says) -> None:
    for module, *words in (
        ("chassis.runtime.relay_process", "migrate"),
        ("chassis.privacy", "migrate"),
        ("services.review.verify_draw", "verify", "x"),
    ):
        for environment in ({}, {"PARVANDEH_PORT": "hunter2-x"}, {"PARVANDEH_ENVIRONMENT": "hunter2-x"}):
            code, _, err = says(module, *words, **environment)
            assert code == 2, err
            assert is_one_sentence(err), err
            assert "hunter2" not in err
            assert all(name in err for name in environment)


def made() -> tuple[CommandLine, list[tuple[object, ...]]]:
    app = command_line("For these tests.")
    taken: list[tuple[object, ...]] = []

    @app.command(several=["--hours"])
    async def take(
        what: str,
        name: Annotated[str, typer.Option()],
        hours: Annotated[list[str] | None, typer.Option()] = None,
        day: Annotated[list[str] | None, typer.Option()] = None,
        size: Annotated[int, typer.Option(max=3)] = 1,
    ) -> int:
        """Take it."""
        taken.append((what, name, hours, day, size))
        return 7

    @app.command()
    def stop() -> None:
        """Be interrupted."""
        raise KeyboardInterrupt

    return app, taken


TAKEN: Final = [
    ("take a --name N", ("a", "N", None, None, 1)),
    ("take --name N a --hours x y --size 2", ("a", "N", ["x", "y"], None, 2)),
    ("take a --hours x --name N --hours y z", ("a", "N", ["x", "y", "z"], None, 1)),
    ("take --day x --day y --name N --day z a", ("a", "N", None, ["x", "y", "z"], 1)),
    ("take a --hours=x y --name=--N", None),
    ("take a --day x y --name N", None),
    ("take --name=--N --size=2 -- --a", ("--a", "--N", None, None, 2)),
]


@pytest.mark.parametrize(("typed", "expected"), TAKEN)
def test_a_list_takes_several_values_in_a_row_and_an_option_no_other_option(typed: str, expected: object) -> None:
    app, taken = made()
    assert run(app, "x", typed.split()) == (7 if expected else 2)
    assert taken == ([expected] if expected else [])


MISTAKES: Final = {
    "": "x: a command is missing (`x --help` says what there is)\n",
    "tkae": "x: there is no such command (`x --help` says what there is)\n",
    "take": "x take: what is missing (`x take --help` says what there is)\n",
    "take a": "x take: --name is missing (`x take --help` says what there is)\n",
    "take a --name --size 1": "x take: --name needs a value (`x take --help` says what there is)\n",
    "take a --name": "x take: --name needs a value (`x take --help` says what there is)\n",
    "take a secret --name N": "x take: there is a word too many (`x take --help` says what there is)\n",
    "take a --nmae N": "x take: there is no option --nmae (`x take --help` says what there is)\n",
}


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_named_and_not_repeated(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    app, taken = made()
    assert (run(app, "x", typed.split()), taken) == (2, [])
    assert capsys.readouterr().err == MISTAKES[typed]


@pytest.mark.parametrize("typed", ["take a --name N --size secret", "take a --name N --size 77777"])
def test_a_value_of_the_wrong_kind_is_not_repeated(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made()[0], "x", typed.split()) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("x take: --size: ")
    assert is_one_sentence(shown)
    assert not re.search(r"secret|77777", shown)


def test_a_choice_that_is_none_is_not_repeated(says: Says) -> None:
    code, _, err = says("tests.bench", "--only", "bus", "--only", "hunter2-x")
    assert code == 2
    assert err.startswith("python -m tests.bench: --only: is not one of 'append', 'bus', ")
    assert is_one_sentence(err)


def test_a_process_ends_with_the_exit_code() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "schemas", "x"], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made()[0], "x", ["stop"]) == 130
    assert capsys.readouterr().err == ""


def test_who_reads_us_may_end_first() -> None:
    command = f"set -o pipefail; {sys.executable} -W ignore -c '{BROKEN}' | true"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


BROKEN: Final = """
import sys
from schemas.command_line import command_line, run
app = command_line("x")
@app.command()
async def much():
    for _ in range(100_000): print("a line")
sys.exit(run(app, "x", ["much"]))
"""


def test_a_command_alone_has_help_version_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    app = CommandLine()

    @app.command()
    def measure(short: bool = False, _: Version = False) -> int:
        """Measure it."""
        return 5 if short else 6

    assert (run(app, "x", []), run(app, "x", ["--short"])) == (6, 5)
    assert run(app, "x", ["--help"]) == 0
    assert "Measure it." in capsys.readouterr().out
    assert run(app, "x", ["--version"]) == 0


def test_a_terminal_gets_colours() -> None:
    shown = b""

    def read(terminal: int) -> bytes:
        nonlocal shown
        shown += (piece := os.read(terminal, 1024))
        return piece

    before = dict(os.environ)
    os.environ |= {"TERM": "xterm-256color", "PYTHONWARNINGS": "ignore"}
    os.environ.pop("NO_COLOR", None)
    try:
        code = pty.spawn([sys.executable, "-m", "schemas", "--help"], read, lambda _: b"")
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert os.waitstatus_to_exitcode(code) == 0
    assert b"\x1b[" in shown

"""`python -m schemas`: the published files, a new fact, and what never changes from now on."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from schemas.command_line import command_line, run
from schemas.compatibility import unreleased
from schemas.contract_files import HERE, ROOT, faults, missing, release, write
from schemas.drafts import to_fill_in
from schemas.envelope.fact import StreamKind, Writer
from schemas.facts import FACTS
from schemas.labels import Unreadable
from schemas.new_fact import NewFact, ignoring, refused, write_stubs


def check(here: Path = HERE, *, released: bool = False) -> int:
    """Exit code 0 without faults, 1 with a line for each; `released`: an unreleased fact is a fault too."""
    found = faults(here)
    waiting = [
        f"{entry}: not released, its name and fields may still change: `python -m schemas release` before it is shipped"
        for entry in unreleased(here, FACTS)
    ]
    for line in found + waiting:
        print(line)
    count = len(found) + (len(waiting) if released else 0)
    print(f"schemas: {count} faults")
    return 1 if count else 0


def write_files(here: Path = HERE) -> int:
    """Write what can be generated; exit 1 with a line for each thing that a person must write first."""
    for line in write(here) or ["schemas: nothing to write"]:
        print(line)
    return _said(missing(here))


def declare_released(here: Path = HERE, root: Path = ROOT) -> int:
    """Declare every fact as released at the project's version (pyproject.toml); exit 1 with the faults for which none is."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    entries, found = release(version, here)
    for entry in entries:
        print(f"{entry}: released at {version}; it never changes again")
    if not entries and not found:
        print("schemas: every fact is released")
    return _said(found)


def new_fact(new: NewFact, root: Path = ROOT) -> int:
    """Write the stubs of a fact and say what is left to fill in; exit 1 with the reasons for which nothing is written."""
    if found := refused(new, root, FACTS, ignoring(root)) or write_stubs(new, root):
        return _said(found)
    print(f"{new.name}: model, union, words, sample and test are written, and nothing is released.")
    print("\n".join(["To fill in:", *to_fill_in(root), "then `python -m schemas write`, and the rule."]))
    return 0


def _said(found: Sequence[str]) -> int:
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


app = command_line("Check and write the published files, draft a new fact, release facts.")


@app.command("check")
def check_files(
    released: Annotated[bool, typer.Option("--released", help="Before shipping: report unreleased facts as faults.")] = False,
) -> int:
    """Compare the published files with the code.

    Exit code 1: there are faults, and a line names each.
    """
    return check(released=released)


@app.command("write")
def write_generated() -> int:
    """Write the generated files.

    Exit code 1: a person must write something first, and a line names it.
    """
    return write_files()


@app.command("release")
def release_facts() -> int:
    """Declare every fact as released at the project's version."""
    return declare_released()


@app.command("new")
def draft_fact(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its wire name, for example correction.extended.")],
    writer: Annotated[str, typer.Option(help=", ".join(Writer))],
    fields: Annotated[list[str] | None, typer.Option("--field", metavar="'NAME: TYPE'", help="A field; may be repeated.")] = None,
    meaning: Annotated[str, typer.Option(help="What happened: one sentence in the past tense.")] = "",
    fa: Annotated[str, typer.Option(help="Its label in Persian.")] = "",
    en: Annotated[str, typer.Option(help="Its label in English.")] = "",
    kind: Annotated[str, typer.Option(help="The kind of its stream: " + ", ".join(StreamKind))] = StreamKind.CASE.value,
    record: Annotated[bool, typer.Option("--record", help="A pure record, which cannot conflict.")] = False,
    ignored_by: Annotated[str, typer.Option(metavar="A,B", help="The services and folds that ignore it (ignored.toml).")] = "",
) -> int:
    """Write the stubs of a new fact, marked where a person must decide.

    Exit code 1: nothing is written, and a line says why.
    """
    return new_fact(
        NewFact(
            name=name,
            writer=writer,
            fields=tuple(fields or ()),
            meaning=meaning,
            fa=fa,
            en=en,
            kind=kind,
            record=record,
            ignored_by=tuple(filter(None, ignored_by.split(","))),
        )
    )


def main(arguments: list[str]) -> int:
    """The exit code of one command; 1 with one sentence when a file cannot be read."""
    try:
        return run(app, "python -m schemas", arguments)
    except Unreadable as error:
        return _said([str(error)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m schemas check | write | new | release`: the published files, a new fact, and what never changes from now on."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from schemas.compatibility import unreleased
from schemas.contract_files import HERE, ROOT, faults, missing, release, write
from schemas.drafts import to_fill_in
from schemas.fact import StreamKind, Writer
from schemas.facts import FACTS
from schemas.labels import Unreadable
from schemas.new_fact import NewFact, ignoring, refused, write_stubs


def check(here: Path = HERE, *, released: bool = False) -> int:
    """Exit 0 when all is well, 1 with a line for each fault; `released`: a fact that is not yet released is a fault too."""
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
    """Write what can be generated; exit 1 with a line for each thing that a person has to write first."""
    for line in write(here) or ["schemas: nothing to write"]:
        print(line)
    return _said(missing(here))


def declare_released(here: Path = HERE, root: Path = ROOT) -> int:
    """Declare every fact as released at the project's version (pyproject.toml); exit 1 with the faults for which none is."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    entries, found = release(version, here)
    for entry in entries:
        print(f"{entry}: released at {version}; it never changes from now on")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m schemas", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="are the published files what the code says?")
    checking.add_argument("--released", action="store_true", help="before shipping: a fact that is not released is a fault")
    commands.add_parser("write", help="write the files that are generated")
    commands.add_parser("release", help="declare every fact as released at the project's version")
    new = commands.add_parser("new", help="write the stubs of a new fact")
    new.add_argument("name", help="its wire name, for example correction.extended")
    new.add_argument("--writer", required=True, help=", ".join(Writer))
    new.add_argument("--field", action="append", default=[], metavar="'NAME: TYPE'", help="may be given several times")
    new.add_argument("--meaning", default="", help="what happened: one sentence in the past tense")
    new.add_argument("--fa", default="", help="its words in Persian")
    new.add_argument("--en", default="", help="its words in English")
    new.add_argument("--kind", default=StreamKind.CASE.value, help="of its stream: " + ", ".join(StreamKind))
    new.add_argument("--record", action="store_true", help="a pure record, which cannot conflict")
    new.add_argument("--ignored-by", default="", metavar="A,B", help="the services and folds that leave it alone (ignored.toml)")
    return parser


def main(arguments: list[str]) -> int:
    """Carry out what the command line asks for; a wrong one exits 2 with the usage."""
    asked = _parser().parse_args(arguments)
    try:
        match asked.command:
            case "check":
                return check(released=asked.released)
            case "write":
                return write_files()
            case "release":
                return declare_released()
            case _:
                return new_fact(
                    NewFact(
                        name=asked.name,
                        writer=asked.writer,
                        fields=tuple(asked.field),
                        meaning=asked.meaning,
                        fa=asked.fa,
                        en=asked.en,
                        kind=asked.kind,
                        record=asked.record,
                        ignored_by=tuple(filter(None, asked.ignored_by.split(","))),
                    )
                )
    except Unreadable as error:
        return _said([str(error)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

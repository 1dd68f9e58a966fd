"""`python -m schemas check | write`: are the published files what the code says? Write the ones that are missing."""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.contract_files import HERE, faults, missing, write


def check(here: Path = HERE) -> int:
    """Exit 0 when all is well, 1 with a line for each fault."""
    found = faults(here)
    for line in found:
        print(line)
    print(f"schemas: {len(found)} faults")
    return 1 if found else 0


def write_files(here: Path = HERE) -> int:
    """Write what can be generated; exit 1 with a line for each thing that a person has to write first."""
    for line in write(here) or ["schemas: nothing to write"]:
        print(line)
    found = missing(here)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    """Exit 2 with the usage where neither is asked for."""
    match arguments:
        case ["check"]:
            return check()
        case ["write"]:
            return write_files()
    print("usage: python -m schemas check | write", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

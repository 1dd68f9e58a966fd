"""`python -m schemas check | write`: are the published files what the code says? Write the ones that are missing."""

from __future__ import annotations

import sys

from schemas.published import faults, write


def main(arguments: list[str]) -> int:
    """Exit 0 when all is well, 1 with a line for each fault, 2 with the usage."""
    match arguments:
        case ["check"]:
            found = faults()
            for line in found:
                print(line)
            print(f"schemas: {len(found)} faults")
            return 1 if found else 0
        case ["write"]:
            print("\n".join(write()) or "schemas: up to date")
            return 0
    print("usage: python -m schemas check | write", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m deploy.reference check | write`: are the made parts of docs/ what the code says? Write the ones that are not."""

from __future__ import annotations

import sys

from deploy.reference.pages import PARTS, MarkMissing, stale, write
from deploy.reference.settings import NoMeaning


def main(arguments: list[str]) -> int:
    """Exit 0 when all is well, 1 with a line for each page that is not up to date, 2 with the usage."""
    try:
        match arguments:
            case ["check"]:
                found = stale()
                for name in found:
                    print(f"docs/{name} is not up to date: run `python -m deploy.reference write`")
                print(f"reference: {len(PARTS)} pages, {len(found)} not up to date")
                return 1 if found else 0
            case ["write"]:
                print("\n".join(write()) or "reference: up to date")
                return 0
    except (MarkMissing, NoMeaning) as error:
        print(f"reference: {error}", file=sys.stderr)
        return 1
    print("usage: python -m deploy.reference check | write", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

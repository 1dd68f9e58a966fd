"""`python -m deploy.openapi check | write`: are schemas/openapi/*.json what the doors' code says? Write the ones that are not."""

from __future__ import annotations

import sys

from deploy.openapi.documents import stale, texts, write


def main(arguments: list[str]) -> int:
    """Exit 0 when all is well, 1 with a line for each file that is not up to date, 2 with the usage."""
    match arguments:
        case ["check"]:
            found = stale()
            for name in found:
                print(f"schemas/openapi/{name} is not up to date: run `python -m deploy.openapi write`")
            print(f"openapi: {len(texts())} documents, {len(found)} not up to date")
            return 1 if found else 0
        case ["write"]:
            print("\n".join(write()) or "openapi: up to date")
            return 0
    print("usage: python -m deploy.openapi check | write", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

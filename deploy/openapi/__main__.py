"""`python -m deploy.openapi`: are schemas/openapi/*.json what the doors' code says?"""

from __future__ import annotations

import sys

from deploy.openapi import documents
from schemas.command_line import command_line, run

app = command_line("Check and write schemas/openapi/*.json, the documents of all doors.")


@app.command()
def check() -> int:
    """Compare the documents with the code.

    Exit code 1: some are not up to date, and a line names each.
    """
    found = documents.stale()
    for name in found:
        print(f"schemas/openapi/{name} is not up to date: run `python -m deploy.openapi write`")
    print(f"openapi: {len(documents.texts())} documents, {len(found)} not up to date")
    return 1 if found else 0


@app.command()
def write() -> None:
    """Write the documents that are not up to date."""
    print("\n".join(documents.write()) or "openapi: up to date")


def main(arguments: list[str]) -> int:
    """The exit code of one command."""
    return run(app, "python -m deploy.openapi", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m deploy.reference`: are the made parts of docs/ and the processors' digests what the code says?"""

from __future__ import annotations

import sys

from deploy.reference import pages, versions
from deploy.reference.settings import NoMeaning
from schemas.command_line import command_line, run

app = command_line("Check and write the parts of docs/ that are made from the code, and the digests of processors.")


@app.command()
def check() -> int:
    """Compare the made parts with the code.

    Exit code 1: some are not up to date, and a line names each page or processor.
    """
    found, changed = pages.stale(), versions.faults()
    for line in changed:
        print(line)
    for name in found:
        print(f"docs/{name} is not up to date: run `python -m deploy.reference write`")
    print(f"reference: {len(pages.PARTS)} pages, {len(found)} not up to date; {len(changed)} processors changed")
    return 1 if found or changed else 0


@app.command()
def write() -> None:
    """Write the parts that are not up to date."""
    written = [*pages.write(), *([str(versions.FILE)] if versions.write() else [])]
    print("\n".join(written) or "reference: up to date")


def main(arguments: list[str]) -> int:
    """The exit code of one command; 1 with one sentence when a page or a setting is not as it must be."""
    try:
        return run(app, "python -m deploy.reference", arguments)
    except (pages.MarkMissing, NoMeaning) as error:
        print(f"reference: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

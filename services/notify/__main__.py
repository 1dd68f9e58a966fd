"""`python -m services.notify`: the service's processes and its commands on a terminal (`--help`)."""

from __future__ import annotations

import sys

from chassis.runtime import cli
from services.notify.app import SERVICE


def main(arguments: list[str]) -> int:
    """The exit code of one command."""
    return cli.main(SERVICE, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

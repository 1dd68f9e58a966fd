"""`python -m services.audit migrate | serve | demonstration`."""

from __future__ import annotations

import asyncio
import sys

from chassis.process import serve
from chassis.settings import Ground
from chassis.standing import migrate_service
from chassis.telemetry import configure
from services.audit.app import demonstrate, door
from services.audit.settings import ROOM


def main(arguments: list[str]) -> int:
    """Run one of the desk's processes."""
    ground = Ground()
    match arguments:
        case ["migrate"]:
            asyncio.run(migrate_service(ground, "audit", ROOM))
        case ["demonstration"]:
            ground.refuse_demonstration("demonstration data")
            asyncio.run(demonstrate(ground))
        case ["serve"]:
            configure("audit", ground)
            serve(door(ground), ground)
        case _:
            print("usage: python -m services.audit migrate | serve | demonstration", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

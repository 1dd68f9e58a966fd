"""`python -m services.audit migrate | serve | demonstration | account ... | revoke SUBJECT | subject SUB`."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from chassis.enrolling.accounts import ACCOUNT, accounts
from chassis.process import revoke, say_subject, serve
from chassis.settings import Ground, Unset
from chassis.standing import migrate_service
from chassis.telemetry import configure
from chassis.vault.keys import KeyFileMissing
from chassis.web.oidc.relying_party import check
from services.audit.app import ENROLMENT, demonstrate, door
from services.audit.settings import ROOM

USAGE: Final = "\n  ".join(
    ("usage: python -m services.audit migrate | serve | demonstration | revoke SUBJECT | subject SUB, or", *ACCOUNT)
)


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
            try:
                check(ground, "audit")
            except (Unset, KeyFileMissing) as missing:
                print(f"audit does not start: {missing}", file=sys.stderr)
                return 2
            configure("audit", ground)
            serve(door(ground), ground)
        case ["account", *rest]:
            return asyncio.run(accounts(ground, "audit", ENROLMENT, rest))
        case ["revoke", subject]:
            return asyncio.run(revoke(ground, "audit", subject))
        case ["subject", sub]:
            return say_subject(ground, sub)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

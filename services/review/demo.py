"""Review's part of the demonstration: staff, and reviewers who can be drawn."""

from __future__ import annotations

from typing import Final

from chassis.accounts.accounts import Account
from chassis.runtime.container import Container
from services.review import commands as c
from services.review.registration import enrol

DISTRICTS: Final = {"rev-1": (1, 2, 3), "rev-2": (1, 3, 5), "rev-3": (2, 4), "rev-4": (2, 4, 5), "rev-5": (1, 2, 3, 4, 5)}


async def demonstrate(container: Container) -> None:
    """Demonstration accounts and registered reviewers; idempotent."""
    staff = [
        Account(key, f"reviewer{key[-1]}", f"reviewer{key[-1]}-demo", "reviewer", f"بررسی‌کنندهٔ {key[-1]}") for key in DISTRICTS
    ]
    supervisor = Account("sup-1", "supervisor1", "supervisor1-demo", "supervisor", "ناظر")
    await container.accounts.put([*staff, supervisor], demonstration=True)
    for key, districts in DISTRICTS.items():
        if not await container.log.stream(f"staff:{key}", until_version=1):  # one who has since retired is not enrolled again
            await enrol(container, key, c.EnrolReviewer(districts=districts, stages=()))

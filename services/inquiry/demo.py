"""Inquiry's part of the demonstration: every agency of the catalogue, with an officer."""

from __future__ import annotations

from chassis.accounts.accounts import Account
from chassis.runtime.container import Container
from schemas.catalogue import catalogue
from services.inquiry.registration import register


async def demonstrate(container: Container) -> None:
    """Demonstration accounts and registered agencies; idempotent."""
    agencies = catalogue().codes["agencies"]
    await container.accounts.put(
        [Account(f"officer-{key}", key, f"{key}-demo", "agency_officer", each.fa, agency=key) for key, each in agencies.items()],
        demonstration=True,
    )
    for key in agencies:
        await register(container, key)

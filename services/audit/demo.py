"""Audit's part of the demonstration."""

from __future__ import annotations

from chassis.accounts.accounts import Account
from chassis.runtime.container import ReadOnlyContainer
from services.audit.registration import AUDITOR, CONSUMER


async def demonstrate(container: ReadOnlyContainer) -> None:
    """The demonstration accounts of the desk; idempotent."""
    accounts = [
        Account("auditor-1", "auditor1", "auditor1-demo", AUDITOR, "حسابرس"),
        Account("consumer-1", "consumer1", "consumer1-demo", CONSUMER, "سامانهٔ بیرونی"),
    ]
    await container.accounts.put(accounts, demonstration=True)

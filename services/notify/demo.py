"""Notify's part of the demonstration."""

from __future__ import annotations

from chassis.accounts.accounts import Account
from chassis.runtime.container import Container


async def demonstrate(container: Container) -> None:
    """The demonstration account of the desk; idempotent."""
    account = Account("operator-1", "operator1", "operator1-demo", "operator", "کاربر اطلاع‌رسانی")
    await container.accounts.put([account], demonstration=True)

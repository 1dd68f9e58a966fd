"""Intake's part of the demonstration: two counter offices, and the staff of the desk."""

from __future__ import annotations

from chassis.accounts.accounts import Account
from chassis.runtime.container import Container
from services.intake.commands import RegisterOffice
from services.intake.registration import register, registered


async def demonstrate(container: Container) -> None:
    """Demonstration accounts and offices; idempotent."""
    offices = {
        "office-1": ("دفتر پیشخوان آزادی", "Azadi counter office", 1),
        "office-2": ("دفتر پیشخوان شریعتی", "Shariati counter office", 3),
    }
    await container.accounts.put(
        [
            Account("op-1", "office1", "office1-demo", "office_operator", "اپراتور دفتر پیشخوان آزادی", office="office-1"),
            Account("op-2", "office2", "office2-demo", "office_operator", "اپراتور دفتر پیشخوان شریعتی", office="office-2"),
            Account("eng-1", "engineer1", "engineer1-demo", "engineer", "مهندس سامانه"),
            Account("clerk-1", "clerk1", "clerk1-demo", "identity_clerk", "کارشناس هویت"),
        ],
        demonstration=True,
    )
    for office, (name_fa, name_en, district) in offices.items():
        if not await registered(container.log, office):
            await register(container, office, RegisterOffice(name_fa=name_fa, name_en=name_en, district=district))

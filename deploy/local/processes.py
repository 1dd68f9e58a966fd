"""What runs on the embedded stack: migrations, demonstration data, processes with their ports, passwords and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIGRATIONS: Final = (
    "caselog",
    "chassis.vault",
    "chassis.bus",
    *(f"services.{s}" for s in ("intake", "review", "inquiry", "notify", "audit")),
)
"""Modules that are run with `migrate` by the owner, in this order."""

DEMONSTRATIONS: Final = ("intake", "review", "inquiry", "notify", "audit")
"""Services that bring demonstration accounts."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of ours."""

    name: str
    module: str
    arguments: tuple[str, ...]
    port: int
    role: str | None
    """Whose password it is given, or None."""
    reader: str
    """Whose reader password it is given."""


PROCESSES: Final = (
    Process("witness", "deploy.witness", (), 8030, None, "witness_reader"),
    Process("relay", "chassis.bus", (), 8010, "relay", "relay_reader"),
    Process("intake", "services.intake", ("serve",), 8001, "intake", "intake_reader"),
    Process("review", "services.review", ("serve",), 8002, "review", "review_reader"),
    Process("inquiry", "services.inquiry", ("serve",), 8003, "inquiry", "inquiry_reader"),
    Process("notify", "services.notify", ("serve",), 8004, "notify", "notify_reader"),
    Process("audit", "services.audit", ("serve",), 8005, "audit", "audit_reader"),
    Process("intake-agenda", "services.intake", ("agenda",), 8021, "intake", "intake_reader"),
    Process("review-agenda", "services.review", ("agenda",), 8022, "review", "review_reader"),
    Process("inquiry-agenda", "services.inquiry", ("agenda",), 8023, "inquiry", "inquiry_reader"),
    Process("notify-agenda", "services.notify", ("agenda",), 8024, "notify", "notify_reader"),
)
"""In the order in which they are started."""

KEYS: Final = {
    "intake": ("service", "alias", "blind", "tracking", "wrap-identity", "wrap-contact", "wrap-property"),
    "review": ("service", "alias", "wrap-property"),
    "inquiry": ("service", "alias", "wrap-property"),
    "notify": ("service", "wrap-contact"),
    "audit": ("alias", "tracking"),
}
"""Which key files each service is given, and no other (chassis/vault/keys.py)."""

SIGN_INS: Final = (
    ("citizen", "national code 0084575948, mobile 09131234567; the code is in var/outbox/sms"),
    ("counter office", "office1 / office1-demo"),
    ("identity clerk", "clerk1 / clerk1-demo"),
    ("reviewers", "reviewer1 to reviewer5 / reviewer1-demo ..."),
    ("supervisor", "supervisor1 / supervisor1-demo"),
    ("agencies", "fire / fire-demo, engineers / engineers-demo ..."),
    ("messages", "operator1 / operator1-demo"),
    ("engineer", "engineer1 / engineer1-demo: how the house is"),
    ("auditor", "auditor1 / auditor1-demo"),
    ("feed", "consumer1 / consumer1-demo by HTTP Basic: audit /feed?shard=0&after=0"),
)
"""The demonstration accounts, for the announcement."""

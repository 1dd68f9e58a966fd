"""What runs on the embedded stack: migrations, demonstration data, processes with their ports, passwords and keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.local.subprocesses import StackError

MIGRATIONS: Final = (
    "caselog",
    "chassis.privacy",
    "chassis.runtime.relay_process",
    *(f"services.{s}" for s in ("intake", "review", "inquiry", "notify", "audit")),
)
"""Modules that the owner runs with `migrate`, in this order."""

DEMONSTRATIONS: Final = ("intake", "review", "inquiry", "notify", "audit")
"""Services with demonstration accounts."""


def first_port() -> int:
    """The first of the stack's ports (`PARVANDEH_PORTS`): a second stack with other ports runs beside the first.

    Raises StackError when it is no such number.
    """
    said = os.environ.get("PARVANDEH_PORTS", "8000")
    if not (said.isascii() and said.isdigit() and 1024 <= int(said) <= 65_000):
        raise StackError(f"PARVANDEH_PORTS must be the first of the stack's ports, 1024 to 65000, not {said}")
    return int(said)


def postgres_port() -> int:
    """PostgreSQL's port on the loopback."""
    return first_port() + 432


def kafka_port() -> int:
    """The broker's port on the loopback."""
    return first_port() + 92


@dataclass(frozen=True, slots=True)
class Process:
    """One of our processes."""

    name: str
    module: str
    arguments: tuple[str, ...]
    place: int
    """Its port, counted from `first_port`."""
    role: str | None
    """The role whose password it gets, or None."""
    reader: str
    """The role whose reader password it gets."""

    @property
    def port(self) -> int:
        return first_port() + self.place


PROCESSES: Final = (
    Process("witness", "deploy.witness", (), 30, None, "witness_reader"),
    Process("relay", "chassis.runtime.relay_process", (), 10, "relay", "relay_reader"),
    Process("intake", "services.intake", ("serve",), 1, "intake", "intake_reader"),
    Process("review", "services.review", ("serve",), 2, "review", "review_reader"),
    Process("inquiry", "services.inquiry", ("serve",), 3, "inquiry", "inquiry_reader"),
    Process("notify", "services.notify", ("serve",), 4, "notify", "notify_reader"),
    Process("audit", "services.audit", ("serve",), 5, "audit", "audit_reader"),
    Process("intake-agenda", "services.intake", ("agenda",), 21, "intake", "intake_reader"),
    Process("review-agenda", "services.review", ("agenda",), 22, "review", "review_reader"),
    Process("inquiry-agenda", "services.inquiry", ("agenda",), 23, "inquiry", "inquiry_reader"),
    Process("notify-agenda", "services.notify", ("agenda",), 24, "notify", "notify_reader"),
)
"""In starting order; `running` says which of them run."""

AGENDA_APART: Final = "PARVANDEH_AGENDA_APART"


def running(environment: Mapping[str, str] = os.environ) -> tuple[Process, ...]:
    """The PROCESSES that the settings ask for: an agenda is a separate process where `PARVANDEH_AGENDA_APART` names its service.

    Raises StackError when that names no service with an agenda.
    """
    apart = {part.strip() for part in environment.get(AGENDA_APART, "").split(",")} - {""}
    agendas = {process.name.removesuffix("-agenda"): process for process in PROCESSES if process.arguments == ("agenda",)}
    if apart - set(agendas):
        raise StackError(
            f"{AGENDA_APART} names some of {', '.join(agendas)}, separated by commas, not {min(apart - set(agendas))}"
        )
    joined = [agenda for service, agenda in agendas.items() if service not in apart]
    return tuple(process for process in PROCESSES if process not in joined)


KEYS: Final = {
    "intake": ("service", "subject", "alias", "blind", "tracking", "wrap-identity", "wrap-contact", "wrap-property"),
    "review": ("service", "subject", "alias", "wrap-property"),
    "inquiry": ("service", "subject", "alias", "wrap-property"),
    "notify": ("service", "subject", "wrap-contact"),
    "audit": ("subject", "alias", "tracking"),
}
"""The key files that each service gets, and no others (chassis/privacy/key_files.py)."""

SIGN_INS: Final = (
    ("citizen", "national code 0084575948, mobile 09131234567; the code is in var/outbox/sms"),
    ("counter office", "office1 / office1-demo"),
    ("identity clerk", "clerk1 / clerk1-demo"),
    ("reviewers", "reviewer1 to reviewer5 / reviewer1-demo ..."),
    ("supervisor", "supervisor1 / supervisor1-demo"),
    ("agencies", "fire / fire-demo, engineers / engineers-demo ..."),
    ("messages", "operator1 / operator1-demo"),
    ("engineer", "engineer1 / engineer1-demo: system status"),
    ("auditor", "auditor1 / auditor1-demo"),
    ("feed", "consumer1 / consumer1-demo by HTTP Basic: audit /feed?shard=0&after=0"),
)
"""The demonstration accounts, for the announcement."""


def service_urls() -> dict[str, str]:
    """Where each process of the local house answers, by its name. Asked when needed: PARVANDEH_PORTS may move them until then."""
    return {process.name: f"http://127.0.0.1:{process.port}" for process in PROCESSES}

"""Submission through intake's real door, beside an empty route behind the same middleware, and a bare form.

The house around it is the real one: PostgreSQL, broker, relay, and one intake process with its inbox. A submission is a whole
filing: signed in by a session row, CSRF, a multipart form with three papers, validated, sealed, stored, idempotent, appended,
and answered when intake's own projection shows it. The crowd is a process of its own, and shares the cores.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import asdict, replace
from typing import Final

import asyncpg

from chassis.vault.keys import VaultKeys
from chassis.vault.vault import Vault
from chassis.web.codes import subject_of
from chassis.web.principal import Principal
from chassis.web.sessions import Sessions
from deploy.demo.filled import paper
from tests.bench.filing import Order, Outcome
from tests.bench.ground import Bench
from tests.bench.house import House, cpu_of, postmaster, standing, told
from tests.bench.lines import Line

CLIENTS: Final = 32
KIND: Final = "site_visit"
PAPERS: Final = ("title_deed", "identity_papers", "levy_slip")
WORDS: Final = {
    "name": "زهرا کرمانی", "mobile": "09131234567", "email": "", "district": "3", "registry_plate": "1234/56",
    "renewal_code": "30-123-45-6-0-0-0", "address": "کرمان، خیابان شریعتی، کوچهٔ ۱۲، پلاک ۷",
    "visit_reason": "بازدید برای تعیین بر و کف ملک پیش از درخواست پروانه",
}  # fmt: skip


async def measure(bench: Bench) -> list[Line]:
    """The lines of the door, and on stderr whose CPU a submission takes."""
    async with (
        standing(bench, "http_") as house,
        house.running("relay", "chassis.bus") as relay,
        house.running("intake", "services.intake", "serve") as intake,
        house.running("intake", "tests.bench.empty", door="empty") as empty,
        house.running("intake", "tests.bench.form", door="form"),
    ):
        filing = await _order(house, bench.seconds)
        nothing = replace(filing, method="GET", port=house.ports["empty"], path="/empty", expect=204)
        dropping = replace(filing, port=house.ports["form"])
        pids = {"intake": [intake], "relay": [relay], "PostgreSQL": [postmaster(bench.server)], "Kafka": [house.broker.pid]}
        done: list[Outcome] = []
        dropped: list[Outcome] = []
        peer: list[Outcome] = []
        await told("tests.bench.filing", asdict(replace(filing, seconds=0.5)))  # plans, caches, connections
        before = {name: cpu_of(each) for name, each in pids.items()}
        for _ in range(bench.rounds):
            done.append(Outcome(**await told("tests.bench.filing", asdict(filing))))
        spent = {name: cpu_of(each) - before[name] for name, each in pids.items()}
        spent["crowd"] = sum(each.cpu for each in done)
        for _ in range(bench.rounds):
            dropped.append(Outcome(**await told("tests.bench.filing", asdict(dropping))))
        cores = cpu_of([empty])
        for _ in range(bench.rounds):
            peer.append(Outcome(**await told("tests.bench.filing", asdict(nothing))))
        cores = cpu_of([empty]) - cores
    filed = sum(each.done for each in done)
    bench.say(
        "http: CPU of one submission, ms: "
        + ", ".join(f"{name} {each / filed * 1000:.2f}" for name, each in spent.items())
        + f"; {os.cpu_count()} cores that never wait: {filed * (os.cpu_count() or 1) / sum(spent.values()):,.0f}/s"
    )
    bench.say(f"http: CPU of one empty answer, ms: {cores / sum(each.done for each in peer) * 1000:.2f}")
    rate = tuple(each.done / each.seconds for each in done)
    form_rate = tuple(each.done / each.seconds for each in dropped)
    empty_rate = tuple(each.done / each.seconds for each in peer)
    took = tuple(statistics.median(each.latencies) * 1000 for each in done)
    beside = tuple(statistics.median(each.latencies) * 1000 for each in peer)
    name = f"filing over HTTP, three papers, {CLIENTS} clients, one process"
    return [
        Line(name, rate, "an empty route, the same middleware", empty_rate, must=">= 600/s"),
        Line(name, rate, "a bare FastAPI that drops the same form", form_rate),
        Line(f"{name}, p50", took, "an empty route, the same middleware", beside, "ms"),
    ]


async def _order(house: House, seconds: float) -> Order:
    """A crowd of signed-in citizens; each files again and again, with a key of its own each time."""
    async with asyncpg.create_pool(**house.databases.where("intake", "intake"), min_size=1, max_size=1) as own:
        sessions, vault = Sessions(own), Vault(own, VaultKeys(house.directory / "keys" / "intake"))
        codes = [_national_code(100_000_000 + number) for number in range(CLIENTS)]
        tokens = [await sessions.begin(Principal("citizen", subject_of(vault.blind("national_code", code)))) for code in codes]
    return Order(
        method="POST",
        port=house.ports["intake"],
        path=f"/new/{KIND}",
        seconds=seconds,
        sessions=tuple(tokens),
        fields=tuple(WORDS | {"national_code": code} for code in codes),
        papers={f"document_{each}": paper().hex() for each in PAPERS},
        expect=303,
    )


def _national_code(number: int) -> str:
    """A national code whose check digit fits."""
    digits = f"{number:09d}"
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(digits)) % 11
    return digits + str(rest if rest < 2 else 11 - rest)

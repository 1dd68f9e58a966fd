"""Submission through intake's real door, beside an empty route behind the same middleware, and a bare form.

The house around it is the real one: PostgreSQL, broker, relay, and one intake process with its inbox. A submission is a whole
filing: signed in by a session row, CSRF, a multipart form with three papers, validated, sealed, stored, idempotent, appended,
and answered when intake's own projection shows it. The crowd is a process of its own, and shares the cores.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final

import asyncpg

from chassis.accounts.one_time_codes import subject_of
from chassis.accounts.sessions import Sessions
from chassis.principal import Principal
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from deploy.demo.filled import paper
from tests.bench.filing import Order, Outcome
from tests.bench.harness import FAILURES, Bench
from tests.bench.house import House, cpu_of, house_of, postmaster, told
from tests.bench.lines import Aim, Line
from tests.bench.samples import NoFigure, Sample, attempted, each, median, rate

CLIENTS: Final = 32
KIND: Final = "site_visit"
PAPERS: Final = ("title_deed", "identity_papers", "levy_slip")
WORDS: Final = {
    "name": "زهرا کرمانی", "mobile": "09131234567", "email": "", "district": "3", "registry_plate": "1234/56",
    "renewal_code": "30-123-45-6-0-0-0", "address": "کرمان، خیابان شریعتی، کوچهٔ ۱۲، پلاک ۷",
    "visit_reason": "بازدید برای تعیین بر و کف ملک پیش از درخواست پروانه",
}  # fmt: skip

Crowd = Outcome | NoFigure
"""What came of a round of the crowd."""


async def measure(bench: Bench) -> list[Line]:
    """The lines of the door, and whose CPU a filing takes."""
    async with (
        house_of(bench, "http_") as house,
        house.running("relay", "chassis.runtime.relay_process") as relay,
        house.running("intake", "services.intake", "serve") as intake,
        house.running("intake", "tests.bench.empty", door="empty") as empty,
        house.running("intake", "tests.bench.form", door="form"),
    ):
        filing = await _order(house, bench.seconds)
        nothing = replace(filing, method="GET", port=house.ports["empty"], path="/empty", expect=204)
        dropping = replace(filing, port=house.ports["form"])
        pids = {"intake": [intake], "relay": [relay], "PostgreSQL": [postmaster(bench.server)], "Kafka": [house.broker.pid]}
        await _crowd(replace(filing, seconds=min(0.5, bench.seconds)))  # plans, caches, connections
        before = {name: cpu_of(each) for name, each in pids.items()}
        done = [await _crowd(filing) for _ in range(bench.rounds)]
        spent = {name: cpu_of(each) - before[name] for name, each in pids.items()}
        dropped = [await _crowd(dropping) for _ in range(bench.rounds)]
        cores = cpu_of([empty])
        peer = [await _crowd(nothing) for _ in range(bench.rounds)]
        cores = cpu_of([empty]) - cores
    _tell_cpu(bench, done, spent)
    bench.note(f"CPU of one empty answer, ms: {each(_total(peer), cores, 1000)}")
    return _lines(done, dropped, peer)


async def _crowd(order: Order) -> Crowd:
    """A round of the crowd: what came of it, or why nothing did."""

    async def asked() -> Crowd:
        return Outcome(**await told("tests.bench.filing", asdict(order)))

    return await attempted(asked(), FAILURES, lambda why: why)


def _total(rounds: Sequence[Crowd]) -> int:
    return sum(one.done for one in rounds if isinstance(one, Outcome))


def _tell_cpu(bench: Bench, done: Sequence[Crowd], spent: dict[str, float]) -> None:
    filed, cores = _total(done), os.cpu_count() or 1
    spent = spent | {"crowd": sum(one.cpu for one in done if isinstance(one, Outcome))}
    all_of_it = sum(spent.values())
    bench.note(
        "CPU of one filing, ms: "
        + ", ".join(f"{name} {each(filed, cpu, 1000)}" for name, cpu in spent.items())
        + (f"; {cores} cores that never wait: {filed * cores / all_of_it:,.0f}/s" if filed and all_of_it else "")
    )


def _lines(done: Sequence[Crowd], dropped: Sequence[Crowd], peer: Sequence[Crowd]) -> list[Line]:
    name, beside = f"filing over HTTP, three papers, {CLIENTS} clients, one process", "an empty route, the same middleware"
    rates, bare = _rates(done, "filing"), "a bare FastAPI that drops the same form"
    return [
        Line("filing", name, rates, beside, _rates(peer, beside), aim=Aim(figure=600)),
        Line("filing-form", name, rates, bare, _rates(dropped, bare)),
        Line("filing-p50", f"{name}, p50", _medians(done, "filing"), beside, _medians(peer, beside), "ms"),
    ]


def _rates(rounds: Sequence[Crowd], who: str) -> tuple[Sample, ...]:
    return tuple(one if isinstance(one, NoFigure) else rate(one.done, one.seconds, who) for one in rounds)


def _medians(rounds: Sequence[Crowd], who: str) -> tuple[Sample, ...]:
    """Of each round the median in milliseconds."""
    return tuple(one if isinstance(one, NoFigure) else median([taken * 1000 for taken in one.latencies], who) for one in rounds)


async def _order(house: House, seconds: float) -> Order:
    """A crowd of signed-in citizens; each files again and again, with a key of its own each time."""
    async with asyncpg.create_pool(**house.databases.where("intake", "intake"), min_size=1, max_size=1) as db:
        sessions, vault = Sessions(db), Vault(db, VaultKeys(house.directory / "keys" / "intake"))
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

"""`python -m deploy.demo`: a Kerman week through the doors of a running stack."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import httpx2
import typer
from rich.progress import MofNCompleteColumn, Progress

from deploy.demo.journal import Journal
from deploy.demo.person import Person, Unexpected
from deploy.demo.plan import Plan, Walked
from deploy.demo.walk import ENDS, OVERDUE, Walk, until
from deploy.demo.week import plans
from deploy.local.processes import service_urls
from schemas.command_line import CommandLine, Version, run

SERVICES: Final = ("intake", "review", "inquiry", "notify")
LEAST_SHARE: Final = 0.99
"""Of the facts must come from the bus (design.md section 4)."""
PASSED: Final = (*OVERDUE.values(), "target.passed")
LOST_OR_DOUBLED: Final = "lost or doubled"
PATIENCE_SECONDS: Final = 60.0
AUDIT_SECONDS: Final = 20.0
VAR: Final = Path(os.environ.get("PARVANDEH_VAR", "var")).resolve()


async def walk_all(week: list[Plan], at_once: int, journal: Journal) -> tuple[list[Walked], list[str], Counter[str]]:
    """Walk every plan that was not walked before, `at_once` of them at a time.

    Returns what was walked in all, what went wrong, and how many were filed "in" and "out" of office hours.
    """
    walk, gate = Walk(service_urls(), VAR / "outbox", seconds=PATIENCE_SECONDS), asyncio.Semaphore(at_once)
    walked = [
        Walked(week[n], known.case_id, known.tracking_code, known.seconds)
        for n, known in sorted(journal.known.items())
        if n < len(week) and known.seconds is not None
    ]
    ended = {n for n, known in journal.known.items() if known.seconds is not None}
    wrong: list[str] = []
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
        bar = progress.add_task("requests", total=len(week), completed=len(walked))

        async def one(number: int, plan: Plan) -> None:
            async with gate:
                known = journal.known.get(number)
                try:
                    before = (known.case_id, known.tracking_code) if known else None
                    done = await walk.request(plan, before, lambda case, code: journal.filed(number, case, code))
                    journal.ended(number, done.seconds)
                    walked.append(done)
                except Exception as error:  # noqa: BLE001 - one broken request must not end the week, and is counted
                    wrong.append(f"{number} {plan.kind}: {type(error).__name__} {error}")
                progress.advance(bar)

        await asyncio.gather(*(one(number, plan) for number, plan in enumerate(week) if number not in ended))
        bar = progress.add_task("audited", total=len(walked))
        hours = await audit(walk, walked, wrong, lambda: progress.advance(bar))
    await walk.close()
    return walked, wrong, hours


async def audit(walk: Walk, walked: list[Walked], wrong: list[str], told: Callable[[], None] = lambda: None) -> Counter[str]:
    """The auditor reads every case: there once, decided once, chain whole, draws recomputed, deadlines exactly once.

    Returns how many were filed when: "in" office hours, and "out" of them.
    """
    hours: Counter[str] = Counter()
    auditor = await walk.staff("audit", "auditor1")
    for each in walked:
        found = await until("the audit desk's list", lambda code=each.tracking_code: _listed(auditor, code), AUDIT_SECONDS)  # type: ignore[misc]
        report: dict[str, Any] = (await auditor.get(f"{found.url.path}/timeline.json", accept="application/json")).json()
        wrong += [f"{each.case_id}: {fault}" for fault in faults_of(report, each)]
        hours.update(
            "out" if fact["body"]["out_of_hours"] else "in" for fact in report["facts"] if "out_of_hours" in fact["body"]
        )
        told()
    return hours


def faults_of(report: dict[str, Any], each: Walked) -> list[str]:
    """Faults in the auditor's report on a walked case; empty when there are none."""
    facts = [(fact["type"].partition("/")[0], fact["body"]) for fact in report["facts"]]
    types = Counter(name for name, _ in facts)
    overdue = Counter((name, body.get("round"), body.get("inquiry_id")) for name, body in facts if name in PASSED)
    keys = Counter((body["key"], body["recipient"]) for name, body in facts if name == "message.sent")
    messages = [body for name, body in facts if name.startswith("message.")]
    waits = Counter((body["about"], body["channel"], body["recipient"]) for body in messages)
    looks = {
        LOST_OR_DOUBLED: report["case"] == each.case_id and types["case.submitted"] == 1 and (types & ENDS).total() == 1,
        "chain or draw does not hold": report["chain"] == "whole" and not any(draw["faults"] for draw in report["draws"]),
        "a message was recorded twice": not keys or max(keys.values()) == 1,
        "a message was told twice": not waits or max(waits.values()) == 1,
        "a deadline passed twice": not overdue or max(overdue.values()) == 1,
        "two targets": types["target.set"] <= 1,
    }
    return [fault for fault, holds in looks.items() if not holds]


async def _listed(auditor: Person, code: str) -> Any:
    """The case of a tracking code, or None while the desk's list is a moment behind the log."""
    try:
        return await auditor.get(f"/?q={code}")
    except Unexpected:
        return None


class Carried(NamedTuple):
    """Facts that the relay published, and that readers applied from the bus and from the log."""

    published: int
    from_bus: float
    from_log: float

    @property
    def share(self) -> float:
        """Of what was applied, the part that came by the bus."""
        return self.from_bus / (self.from_bus + self.from_log or 1)

    def since(self, before: Carried) -> Carried:
        """What arrived after that look: facts that were in the log when the processes started are read from the log."""
        from_bus, from_log = self.from_bus - before.from_bus, self.from_log - before.from_log
        return Carried(self.published - before.published, from_bus, from_log)


async def figures() -> Carried:
    """What was carried since the processes started."""
    from_bus = from_log = 0.0
    async with httpx2.AsyncClient() as client:
        published = int((await client.get(f"{service_urls()['relay']}/status.json")).json()["published"])
        for service in SERVICES:
            text = (await client.get(f"{service_urls()[service]}/metrics")).text
            for source, value in re.findall(r'parvandeh_facts_applied_total\{reader="[a-z]+",source="(\w+)"\} ([0-9.e+]+)', text):
                from_bus += float(value) if source == "bus" else 0
                from_log += float(value) if source == "log" else 0
    return Carried(published, from_bus, from_log)


def week_of(requests: int, seed: int | None) -> tuple[int, Journal]:
    """The seed and journal: of the named week, or of the last one of this size that was not ended, or of a new one."""
    directory = VAR / "demo"
    if seed is None:
        under_way = sorted(directory.glob(f"{requests}-*.jsonl"), key=lambda path: path.stat().st_mtime)
        seed = int(under_way[-1].stem.partition("-")[2]) if under_way else random.randrange(1 << 32)
    return seed, Journal(directory / f"{requests}-{seed}.jsonl")


app = CommandLine()


@app.command()
def demo(
    requests: Annotated[int, typer.Option(min=1, help="The number of requests to file.")] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="The seed of the week; without it the last week of this size resumes, or a new one starts.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="The number of requests under way at a time.")] = 6,
    _: Version = False,
) -> int:
    """Walk every request of a Kerman week to its end, through the doors of a running stack; then audit, rebuild and verify.

    Exit code 1: something was lost or doubled, or does not verify. 130: stopped by Ctrl-C; the same command resumes.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background with Ctrl-C ignored
    number, journal = week_of(requests, seed)
    before = len(journal.known)
    print(f"seed {number}" + (f"; goes on where it was stopped, {before} requests were filed before" if before else ""))
    began = time.monotonic()
    try:
        week = plans(requests, number, key=f"{requests} {number}")
        stood = asyncio.run(figures())
        walked, wrong, hours = asyncio.run(walk_all(week, at_once, journal))
        carried = asyncio.run(figures()).since(stood)
    except KeyboardInterrupt:
        print("stopped; the same command goes on with this week", file=sys.stderr)
        return 130
    except (httpx2.HTTPError, OSError) as error:
        print(f"the services do not answer ({type(error).__name__}): is `make run` running?", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    ways = sorted(each.seconds for each in walked) or [0.0]
    print(f"requests {requests}, walked to their end {len(walked)}, went wrong {len(wrong)}")
    print(f"lost or doubled {sum(LOST_OR_DOUBLED in line for line in wrong)}")
    print(f"trips avoided {len(walked)} (one for each request that was filed without a visit)")
    print(f"filed in office hours {hours['in']}, outside them {hours['out']}")
    print(f"facts published meanwhile {carried.published}; applied from the bus {carried.share:.2%}")
    print(f"time {seconds:.0f} s; from filing to the end: median {ways[len(ways) // 2]:.1f} s, longest {ways[-1]:.1f} s")
    for line in wrong:
        print(f"  WRONG {line}")
    print("by kind " + ", ".join(f"{kind} {n}" for kind, n in Counter(each.plan.kind for each in walked).most_common()))
    checked = [
        subprocess.run([sys.executable, "-m", "deploy.local", what], check=False).returncode for what in ("rebuild", "verify")
    ]
    if not wrong and not any(checked) and len(walked) == requests and carried.share >= LEAST_SHARE:
        journal.close()
        return 0
    return 1


def main(arguments: list[str]) -> int:
    """The exit code."""
    return run(app, "python -m deploy.demo", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

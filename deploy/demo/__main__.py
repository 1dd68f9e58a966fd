"""`python -m deploy.demo [--requests N] [--seed S] [--at-once K]`: a Kerman week through the doors of a running stack."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import httpx2
from rich.progress import Progress

from deploy.demo.person import Person, Unexpected
from deploy.demo.walk import Plan, Walk, Walked, until
from deploy.demo.week import plans
from deploy.local.processes import PROCESSES

DOORS: Final = {process.name: f"http://127.0.0.1:{process.port}" for process in PROCESSES}
SERVICES: Final = ("intake", "review", "inquiry", "notify")
AUDIT_SECONDS: Final = 20.0
VAR: Final = Path(os.environ.get("PARVANDEH_VAR", "var")).resolve()


async def walk_all(week: list[Plan], at_once: int) -> tuple[list[Walked], list[str]]:
    """Walk every plan, `at_once` of them at a time; what was walked, and what went wrong."""
    walk, gate = Walk(DOORS, VAR / "outbox"), asyncio.Semaphore(at_once)
    walked: list[Walked] = []
    wrong: list[str] = []
    with Progress() as progress:
        bar = progress.add_task("requests", total=len(week))

        async def one(plan: Plan) -> None:
            async with gate:
                try:
                    walked.append(await walk.request(plan))
                except Exception as error:  # noqa: BLE001 - one broken request must not end the week, and is counted
                    wrong.append(f"{plan.kind}: {type(error).__name__} {error}")
                progress.advance(bar)

        await asyncio.gather(*(one(plan) for plan in week))
    await audit(walk, walked, wrong)
    await walk.close()
    return walked, wrong


async def audit(walk: Walk, walked: list[Walked], wrong: list[str]) -> None:
    """The auditor reads every case: there once, decided once, chain whole, draws recomputed."""
    auditor = await walk.staff("audit", "auditor1")
    for each in walked:
        found = await until("the audit desk's list", lambda code=each.tracking_code: _listed(auditor, code), AUDIT_SECONDS)  # type: ignore[misc]
        report: dict[str, Any] = (await auditor.get(f"{found.url.path}/timeline.json", accept="application/json")).json()
        types = Counter(fact["type"].partition("/")[0] for fact in report["facts"])
        ends = types["case.approved"] + types["case.rejected"] + types["case.withdrawn"]
        if report["case"] != each.case_id or types["case.submitted"] != 1 or ends != 1:
            wrong.append(f"{each.case_id}: lost or doubled")
        if report["chain"] != "whole" or any(draw["faults"] for draw in report["draws"]):
            wrong.append(f"{each.case_id}: chain or draw does not hold")
        keys = [fact["body"]["key"] for fact in report["facts"] if fact["type"].startswith("message.sent")]
        if len(set(keys)) != len(keys):
            wrong.append(f"{each.case_id}: a message was recorded twice")


async def _listed(auditor: Person, code: str) -> Any:
    """The case of a tracking code, or None while the desk's list is a moment behind the log."""
    try:
        return await auditor.get(f"/?q={code}")
    except Unexpected:
        return None


async def figures() -> tuple[int, float]:
    """How many facts the relay published, and the share of facts that readers applied from the bus."""
    from_bus = from_log = 0.0
    async with httpx2.AsyncClient() as client:
        published = int((await client.get(f"{DOORS['relay']}/ready")).json()["published"])
        for service in SERVICES:
            text = (await client.get(f"{DOORS[service]}/metrics")).text
            for source, value in re.findall(r'parvandeh_facts_applied_total\{reader="[a-z]+",source="(\w+)"\} ([0-9.e+]+)', text):
                from_bus += float(value) if source == "bus" else 0
                from_log += float(value) if source == "log" else 0
    return published, from_bus / (from_bus + from_log or 1)


def main() -> int:
    """Walk, report, verify; exit code 1 when anything was lost, doubled or does not verify."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo")
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--at-once", type=int, default=6)
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    began = time.monotonic()
    try:
        walked, wrong = asyncio.run(walk_all(plans(chosen.requests, chosen.seed), chosen.at_once))
        published, share = asyncio.run(figures())
    except (httpx2.HTTPError, OSError) as error:
        print(f"the doors do not answer ({type(error).__name__}): is `make run` up?", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    ways = sorted(each.seconds for each in walked) or [0.0]
    print(f"requests {chosen.requests}, walked to their end {len(walked)}, went wrong {len(wrong)}")
    print(f"trips avoided {len(walked)} (one for each request that was filed without a visit)")
    print(f"facts published since the relay started {published}; applied from the bus {share:.2%}")
    print(f"time {seconds:.0f} s; from filing to the end: median {ways[len(ways) // 2]:.1f} s, longest {ways[-1]:.1f} s")
    for line in wrong:
        print(f"  WRONG {line}")
    verified = subprocess.run([sys.executable, "-m", "deploy.local", "verify"], check=False).returncode
    return 1 if wrong or verified or len(walked) != chosen.requests else 0


if __name__ == "__main__":
    sys.exit(main())

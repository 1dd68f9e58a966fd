"""At the real doors while the database is frozen, killed, cut off and deaf: an answer in time, no refused request with an effect,
no acknowledged one lost. `SECONDS=` asks for a longer load, `SEED=` replays the choices of a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chassis.eventing.commands.ids import NEW, case_id_of, http_command
from chassis.web.timeouts import PAGE_SECONDS
from deploy.demo.filled import answers, documents
from deploy.demo.person import forms
from deploy.demo.plan import Applicant, Plan
from deploy.demo.week import national_code
from deploy.local.postgres import Postgres
from schemas.catalogue import catalogue
from tests.conftest import fresh_databases
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.faults.checker import Evidence, check, totals
from tests.faults.doors import Door, doors, prepare
from tests.faults.effects import facts_of
from tests.faults.freezing import frozen
from tests.faults.proxy import LostReplies, Proxy, asks_to_append, postgres_is_ready, proxy
from tests.faults.recorder import Recorder
from tests.faults.seeds import seed_of

LOAD_SECONDS = float(os.environ.get("SECONDS", "3"))
ANSWER_SECONDS = PAGE_SECONDS + 2.0
"""What is promised: PAGE_SECONDS of our own, and the end of what was broken off."""
SLOW_MACHINE = 4.0
KIND = catalogue().types["site_visit"]
PLAN = Plan("site_visit", 1, "office1", Applicant(national_code(345_123_678), "آزمون‌گر نمونه", "09131112233"))
FOR_NOW = {503}
REFUSED = {400, 403, 404, 408, 409, 413, 415, 422}


@dataclass
class House:
    """Two doors behind one proxy to the database."""

    databases: Databases
    wire: Proxy
    doors: dict[str, Door]
    slowest: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def postgres_pid(self) -> int:
        assert self.databases.server._child is not None
        return self.databases.server._child.pid

    async def ask(self, client: httpx2.AsyncClient, method: str, path: str, **what: Any) -> httpx2.Response:
        """One request; its time and status are kept, and a 500 is a fault at once."""
        began = time.monotonic()
        answer = await client.request(method, path, **what)
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        self.statuses[answer.status_code] += 1
        assert answer.status_code != 500, f"{method} {path}"
        assert took < ANSWER_SECONDS + SLOW_MACHINE, f"{method} {path} took {took:.1f} s"
        return answer

    async def person(self, service: str, username: str, accept: str = "text/html") -> httpx2.AsyncClient:
        """A signed-in member of staff."""
        client = httpx2.AsyncClient(
            base_url=self.doors[service].url, headers={"Accept": accept, "Accept-Language": "fa"}, timeout=60
        )
        page = await client.get("/sign-in", headers={"Accept": "text/html"})
        values = {**forms(page.text)[-1].hidden, "username": username, "password": f"{username}-demo"}
        hidden = next(form for form in forms(page.text) if form.action == "/sign-in").hidden
        assert (await client.post("/sign-in", data={**values, **hidden})).status_code == 303
        return client


@pytest.fixture(scope="module")
async def house(postgres: Postgres, passwords: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    directory = tmp_path_factory.mktemp("doors")
    async with fresh_databases(postgres, passwords) as databases:
        await prepare(databases, directory, "intake", "review")
        async with (
            proxy(postgres.port, seed=1) as wire,
            doors(databases, directory, "intake", "review", database_url=f"postgresql://127.0.0.1:{wire.port}") as running,
        ):
            yield House(databases, wire, running)


def filing(page: httpx2.Response) -> dict[str, str]:
    """The hidden fields of a filing form: the key and the token."""
    return next(form for form in forms(page.text) if form.action.endswith("/new/site_visit")).hidden


async def test_a_frozen_database_is_said_by_every_door_in_time_and_all_goes_on_after_the_thaw(house: House) -> None:
    office, reviewer = await house.person("intake", "office1"), await house.person("review", "reviewer1")
    api = {"Accept": "application/json"}
    hidden = filing(await office.get("/new/site_visit"))

    async def file() -> httpx2.Response:
        return await house.ask(office, "POST", "/new/site_visit", data={**hidden, **answers(KIND, PLAN)}, files=documents(KIND))

    with frozen(house.postgres_pid):
        asked = [file(), *(house.ask(office, "GET", "/office") for _ in range(30))]
        asked += [house.ask(reviewer, "GET", "/api/queue", headers=api) for _ in range(30)]
        waiting = asyncio.gather(*asked)
        for door in house.doors.values():
            assert not await door.ready(), "/ready says so"
            async with httpx2.AsyncClient(timeout=2 + SLOW_MACHINE) as client:
                assert (await client.get(f"{door.url}/health")).status_code == 200
        said = await waiting
    assert {answer.status_code for answer in said} == {503}
    assert all(answer.headers["retry-after"] for answer in said)
    assert {answer.headers["content-type"].partition(";")[0] for answer in said} == {"text/html", "application/problem+json"}
    assert all('role="alert"' in answer.text for answer in said if "html" in answer.headers["content-type"])
    for door in house.doors.values():
        await eventually(door.ready, 30)

    async def accepted() -> bool:
        return (await file()).status_code == 303

    await eventually(accepted)
    assert (await file()).status_code == 303  # the same key: the same case
    async with house.databases.reader() as log:
        filed = [fact for fact in await facts_of(log) if fact.type == "case.submitted"]
    assert len(filed) == 1
    print(f"slowest {house.slowest:.1f} s, {dict(house.statuses)}")
    for client in (office, reviewer):
        await client.aclose()


class Load:
    """People who file, repeat, click twice, change what they sent under the same key, and send rubbish."""

    def __init__(self, house: House, recorder: Recorder, seed: int) -> None:
        self.house, self.recorder, self.seed = house, recorder, seed
        self.stop = asyncio.Event()
        self.kinds: Counter[str] = Counter()

    async def filer(self, office: httpx2.AsyncClient, number: int, hidden: dict[str, str]) -> None:
        """File one case after the other, each until it is acknowledged."""
        chance = random.Random(f"{self.seed} filer {number}")
        turn = 0
        while not self.stop.is_set():
            turn += 1
            key, plan = f"key of {number} and {turn} {self.seed}", {**answers(KIND, PLAN), "district": str(chance.randint(1, 5))}
            clicks = 2 if chance.random() < 0.3 else 1
            self.kinds["double click"] += clicks > 1
            await self.insist(office, hidden, key, plan, clicks, chance)
            if chance.random() < 0.4:
                self.kinds["same key, same body"] += 1
                await self.file(office, hidden, key, plan)
            if chance.random() < 0.4:
                self.kinds["same key, another body"] += 1
                assert not await self.file(office, hidden, key, {**plan, "name": "دیگری"})
            if chance.random() < 0.5:
                await self.withdraw(office, key, chance)

    async def insist(
        self,
        office: httpx2.AsyncClient,
        hidden: dict[str, str],
        key: str,
        plan: dict[str, str],
        clicks: int,
        chance: random.Random,
    ) -> None:
        """Send it until it is acknowledged, as a person whom the page told: again in a moment."""
        while True:
            if any(await asyncio.gather(*(self.file(office, hidden, key, plan) for _ in range(clicks)))):
                return
            await asyncio.sleep(chance.uniform(0.05, 0.3))  # a person's pause; nothing waits for it

    async def file(self, office: httpx2.AsyncClient, hidden: dict[str, str], key: str, plan: dict[str, str]) -> bool:
        """One attempt; True when it was acknowledged."""
        command = http_command("intake", "op-1", "/new", NEW, key)
        sent = {**hidden, **plan, "_once": key}
        case = f"case:{case_id_of(command)}"
        with self.recorder.operation(case=case, key=key, command=command, body=repr(sorted(plan.items())).encode()) as said:
            answer = await self.house.ask(office, "POST", "/new/site_visit", data=sent, files=documents(KIND))
            if answer.status_code == 303:
                assert case_id_of(command) in answer.headers["location"]
                said.ok()
            elif answer.status_code in REFUSED:
                said.failed()
            else:
                assert answer.status_code in FOR_NOW
        return answer.status_code == 303

    async def withdraw(self, office: httpx2.AsyncClient, key: str, chance: random.Random) -> None:
        """Withdraw the case from the page as it is, and once more from the same, now stale, page with another key."""
        case = case_id_of(http_command("intake", "op-1", "/new", NEW, key))
        page = await self.house.ask(office, "GET", f"/cases/{case}")
        if page.status_code != 200:
            return
        form = next(each for each in forms(page.text) if each.action.endswith("/withdraw"))
        for attempt in ("first", "stale"):
            self.kinds[f"withdraw, {attempt} page"] += 1
            once = f"{key} {attempt}"
            command = http_command("intake", "op-1", "/withdraw", f"case:{case}", once)
            with self.recorder.operation(case=f"case:{case}", key=once, command=command, body=attempt.encode()) as said:
                sent = {**form.hidden, "_once": once, "reason": "changed_mind"}
                answer = await self.house.ask(office, "POST", form.action, data=sent)
                if answer.status_code == 303:
                    said.ok()
                elif answer.status_code in REFUSED:
                    said.failed()
                else:
                    assert answer.status_code in FOR_NOW
            await asyncio.sleep(chance.uniform(0, 0.05))

    async def nuisance(
        self, office: httpx2.AsyncClient, other: httpx2.AsyncClient, reviewer: httpx2.AsyncClient, csrf: str
    ) -> None:
        """What must be refused at any time: never with success, never with a fault, never late."""
        chance = random.Random(f"{self.seed} nuisance")
        token = {"X-CSRF-Token": csrf}
        json, stranger = {**token, "Accept": "application/json", "Content-Type": "application/json"}, "a" * 26
        huge = b"[" + b"1," * 600_000
        what: list[tuple[str, httpx2.AsyncClient, str, str, dict[str, Any]]] = [
            ("malformed JSON", office, "POST", "/api/track", {"content": b"{", "headers": json}),
            ("oversized body", office, "POST", "/api/track", {"content": huge, "headers": json}),
            ("another person's case", other, "GET", f"/cases/{stranger}", {}),
            ("another's work", reviewer, "GET", f"/cases/{stranger}", {}),
            ("forged form", office, "POST", "/new/site_visit", {"data": {"_csrf": "0" * 64}}),
            ("unknown type", office, "GET", "/new/nothing", {}),
        ]
        while not self.stop.is_set():
            name, who, method, path, sent = chance.choice(what)
            self.kinds[name] += 1
            answer = await self.house.ask(who, method, path, **sent)
            assert answer.status_code in REFUSED | FOR_NOW, name
            await asyncio.sleep(chance.uniform(0.01, 0.08))


async def nemesis(house: House, seed: int, load: Load) -> Counter[str]:
    """Break the database in every way, in an order that the seed draws, until the load's time is over."""
    chance, done, wire = random.Random(f"{seed} nemesis"), Counter[str](), house.wire
    wire.replies = LostReplies(0.3, None, asks_to_append, postgres_is_ready)
    ways = ["kill", "freeze the server", "freeze the wire", "half-open", "cut", "slow"]
    end = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < end or len(done) < len(ways):
        way = chance.choice([each for each in ways if not done[each]] or ways)
        done[way] += 1
        server = house.databases.server
        if way == "kill":
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start, server.port)
        elif way == "freeze the server":
            with frozen(house.postgres_pid):
                await asyncio.sleep(chance.uniform(0.5, 2.0))  # how long a fault lasts is drawn; nothing waits for it
        elif way == "freeze the wire":
            wire.freeze()
            await asyncio.sleep(chance.uniform(0.5, 2.0))
            wire.thaw()
        elif way == "half-open":
            wire.half_open = True
            wire.cut()
            await asyncio.sleep(chance.uniform(0.5, 2.0))
            wire.half_open = False
        elif way == "cut":
            wire.cut()
        else:
            wire.up.delay = wire.down.delay = 0.01
            await asyncio.sleep(chance.uniform(0.3, 1.0))
            wire.up.delay = wire.down.delay = 0.0
        await asyncio.sleep(chance.uniform(0.2, 1.0))
    load.stop.set()
    done["lost replies"] = wire.replies.lost
    wire.replies = None
    return done


@pytest.mark.timeout(240 + int(LOAD_SECONDS) * 2)
async def test_bad_input_under_faults_has_no_effect_and_no_acknowledged_write_is_lost(house: House, tmp_path: Path) -> None:
    seed = seed_of(f"{LOAD_SECONDS:.0f} s of load at the doors")
    recorder = Recorder(tmp_path / "history.jsonl")
    async with house.databases.reader() as log:
        before = {shard: head.seq for shard, head in (await log.heads()).items()}
    office, other = await house.person("intake", "office1"), await house.person("intake", "office2")
    reviewer = await house.person("review", "reviewer1")
    hidden = filing(await office.get("/new/site_visit"))
    load = Load(house, recorder, seed)
    async with asyncio.TaskGroup() as group:
        broken = group.create_task(nemesis(house, seed, load))
        for number in range(4):
            group.create_task(load.filer(office, number, hidden))
        group.create_task(load.nuisance(office, other, reviewer, hidden["_csrf"]))
    async with house.databases.reader() as log:
        facts = await facts_of(log)
    operations = recorder.history()
    faults = check(Evidence(operations, facts, before=before))
    cases = {fact.stream for fact in facts if fact.type == "case.submitted" and fact.seq > before.get(fact.shard, 0)}
    print(f"{len(operations)} operations, {len(cases)} cases; broken: {dict(broken.result())}; sent: {dict(load.kinds)}")
    print(f"answers {dict(house.statuses)}, slowest {house.slowest:.1f} s; {totals(faults)}")
    assert faults == []
    assert len(cases) == len({each.case for each in operations})  # every filer insisted: each case is there, once
    for client in (office, other, reviewer):
        await client.aclose()
    for door in house.doors.values():
        await eventually(door.ready, 30)

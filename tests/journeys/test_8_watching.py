"""Who watches from outside: the feed for other systems, the status page for the engineers, the command line for both."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime

import asyncpg
import httpx2
import pytest

from caselog.chain import ZERO_LINK, compute_link
from chassis.eventing.kafka.cloudevents import decode as read_message
from deploy.demo.walk import Walk
from deploy.demo.week import plans
from deploy.local.processes import service_urls
from schemas.facts import decode
from tests.conftest import ROOT
from tests.eventing.harness import eventually
from tests.journeys.stack import Stack

AS_HEADER = {"traceparent": "traceparent", "datacontenttype": "content-type"}
"""The attributes whose Kafka header is not their name after `ce_`."""
CONSUMER = ("consumer1", "consumer1-demo")


async def ask(path: str, auth: tuple[str, str] | None = CONSUMER) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=service_urls()["audit"], timeout=20) as client:
        return await client.get(path, auth=auth)


async def test_a_consumer_reads_a_shard_to_its_head_and_recomputes_every_link(house: Stack) -> None:
    await house.walk(plans(1, 77))
    heads = await house._heads()
    shard = max(heads, key=lambda each: heads[each])
    after, last = 0, ZERO_LINK
    while True:
        answer = await ask(f"/feed?shard={shard}&after={after}&limit=3")
        assert answer.headers["content-type"] == "application/cloudevents-batch+json"
        if not (page := answer.json()):
            break
        assert len(page) <= 3
        for event in page:
            headers = [(AS_HEADER.get(name, f"ce_{name}"), value.encode()) for name, value in event.items()]
            headers.append(("ce_meta", b64decode(event["metabase64"])))
            fact = read_message(headers, b64decode(event["data_base64"]))
            assert (event["specversion"], fact.seq, fact.prev) == ("1.0", after + 1, last)
            assert compute_link(fact) == fact.link
            assert datetime.fromisoformat(event["time"]).astimezone(UTC) == fact.recorded_at
            decode(fact.type, fact.type_version, fact.body)
            after, last = fact.seq, fact.link
    assert after >= heads[shard]


@pytest.mark.parametrize(
    ("path", "auth", "status"),
    [
        ("/feed?shard=0", None, 401),
        ("/feed?shard=0", ("consumer1", "wrong"), 401),
        ("/feed?shard=0", ("auditor1", "auditor1-demo"), 403),
        ("/feed?shard=64", CONSUMER, 422),
        ("/feed?shard=0&after=-1", CONSUMER, 422),
        ("/feed?shard=0&limit=501", CONSUMER, 422),
        ("/feed", CONSUMER, 422),
    ],
)
async def test_the_feed_is_for_consumers_and_says_what_is_wrong(
    house: Stack, path: str, auth: tuple[str, str] | None, status: int
) -> None:
    answer = await ask(path, auth)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert ("www-authenticate" in answer.headers) is (status == 401)
    if status == 422:
        assert answer.json()["errors"][0]["field"].startswith("query.")


async def test_the_status_page_shows_a_parked_case_and_the_command_releases_it(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    engineer = await walk.staff("intake", "engineer1")

    async def all_is_well() -> bool:
        return "همه چیز کار می‌کند" in (await engineer.get("/status")).text

    await house.settled()
    await eventually(all_is_well)
    walked = (await house.walk(plans(1, 78)))[0]
    await house.settled()
    assert (walked.case_id in command(house, "parked").stdout) is False
    stream = f"case:{walked.case_id}"
    db = await asyncpg.connect(**house.settings_of("notify").as_owner("notify"))
    await db.execute("DELETE FROM messages WHERE stream = $1", stream)
    row = "(reader, version, stream, shard, from_version, reason) VALUES ('messages', 1, $1, 0, 1, 'test')"
    await db.execute(f"INSERT INTO parked_streams {row}", stream)
    said = command(house, "parked").stdout.splitlines()
    (place,) = [
        number for number, line in enumerate(said) if line.startswith(f"notify The list of messages: {stream} from fact 1")
    ]
    assert said[place + 2] == f"    release messages {stream}"
    assert "پرونده‌هایی کنار گذاشته شده است" in (await engineer.get("/status")).text
    assert command(house, "service", "notify", "release", "messages", stream).returncode == 0
    assert command(house, "service", "notify", "release", "messages", stream).returncode == 1
    assert await db.fetchval("SELECT count(*) FROM messages WHERE stream = $1", stream) > 0
    await db.close()
    await house.equals_a_rebuild()
    await eventually(all_is_well)
    clerk = await walk.staff("intake", "office1")
    await clerk.get("/status", expect=403)
    await walk.close()


async def test_halted_shards_and_a_parked_case_of_the_audit_desk_stand_there_too(house: Stack) -> None:
    walk = Walk(service_urls(), house.var / "outbox")
    engineer = await walk.staff("intake", "engineer1")
    stream = f"case:{(await house.walk(plans(1, 80)))[0].case_id}"
    await house.settled()
    db = await asyncpg.connect(**house.settings_of("audit").as_owner("audit"))
    await db.execute("UPDATE checkpoints SET halted = 'fork at 1' WHERE shard < 5")
    row = "(reader, version, stream, shard, from_version, reason) VALUES ('cases', 1, $1, 0, 1, 'test')"
    await db.execute(f"INSERT INTO parked_streams {row}", stream)
    await db.execute("DELETE FROM cases WHERE stream = $1", stream)
    try:
        page = (await engineer.get("/status")).text
        first = page[page.index("<tbody>") :].split("</tr>")[0]  # trouble stands first
        for words in ("حسابرسی", "یک پاره به دلیل دوشاخگی ایستاده است", "پرونده‌هایی کنار گذاشته شده است"):
            assert words in first, (words, first)
        async with httpx2.AsyncClient() as client:
            (found,) = (await client.get(f"{service_urls()['audit']}/status.json")).json()["readers"]
        assert (found["halted"], found["parked"], found["share"]) == (5, 1, None)
    finally:
        await db.execute("UPDATE checkpoints SET halted = NULL")
    assert f"    release cases {stream}" in command(house, "parked").stdout.splitlines()
    assert command(house, "service", "audit", "release", "cases", stream).returncode == 0
    assert await db.fetchval("SELECT count(*) FROM cases WHERE stream = $1", stream) == 1
    await db.close()
    await house.equals_a_rebuild()
    await walk.close()


def command(house: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments],
        cwd=ROOT, env={**os.environ, "PARVANDEH_VAR": str(house.var)}, check=False, capture_output=True, text=True,
    )  # fmt: skip


async def test_every_projection_is_built_anew_while_people_work(house: Stack) -> None:
    load = asyncio.create_task(house.walk(plans(12, 79)))
    rebuilds = 0
    while not load.done() or not rebuilds:
        done = await asyncio.to_thread(command, house, "rebuild")
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("no row differed") == 9, done.stdout
        rebuilds += 1
    await load
    await house.equals_a_rebuild()


def test_a_damaged_row_is_found_and_put_right_by_a_rebuild(house: Stack) -> None:
    asyncio.run(damage(house))
    done = command(house, "service", "review", "rebuild", "cases")
    assert (done.returncode, "2 in cases" in done.stdout) == (3, True), done.stdout  # the row as it is, and as it must be
    assert command(house, "service", "review", "rebuild", "cases").returncode == 0
    assert command(house, "service", "review", "rebuild", "nothing").returncode == 2


async def damage(house: Stack) -> None:
    await house.settled()
    db = await asyncpg.connect(**house.settings_of("review").as_owner("review"))
    await db.execute("UPDATE cases SET district = district % 5 + 1 WHERE stream = (SELECT min(stream) FROM cases)")
    await db.close()


async def test_a_week_goes_on_after_ctrl_c_and_files_nothing_twice(house: Stack) -> None:
    arguments = [sys.executable, "-m", "deploy.demo", "--requests", "14", "--seed", "4242", "--at-once", "3"]
    environment = {**os.environ, "PARVANDEH_VAR": str(house.var)}
    journal = house.var / "demo" / "14-4242.jsonl"
    first = await asyncio.create_subprocess_exec(
        *arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )

    async def half_way() -> bool:
        return journal.exists() and journal.read_text().count("seconds") >= 3

    await eventually(half_way, 120)
    first.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(first.communicate(), 30)
    assert (first.returncode, b"goes on with this week" in said) == (130, True), said
    again = await asyncio.to_thread(
        subprocess.run, arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "requests 14, walked to their end 14, went wrong 0" in again.stdout
    assert "goes on where it was stopped" in again.stdout
    hours = re.search(r"filed in office hours (\d+), outside them (\d+)", again.stdout)
    assert hours is not None, again.stdout
    connection = await asyncpg.connect(**house.settings_of("intake").as_owner("caselog"))
    query = "SELECT count(DISTINCT stream) FROM log.facts WHERE type = 'case.submitted' AND stream = ANY($1)"
    lines = [json.loads(line) for line in journal.with_suffix(".done").read_text().splitlines()]
    filed = {f"case:{line['case']}" for line in lines if "case" in line}
    assert (len(filed), await connection.fetchval(query, list(filed))) == (14, 14)
    db = await asyncpg.connect(**house.settings_of("intake").as_owner("intake"))
    late = await db.fetchval("SELECT count(*) FROM cases WHERE out_of_hours AND stream = ANY($1)", list(filed))
    assert (int(hours[1]), int(hours[2])) == (14 - late, late)
    await db.close()
    await connection.close()

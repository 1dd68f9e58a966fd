"""Blindness: no route of review knows a person, two applicants look the same, and a canary is found nowhere."""

from __future__ import annotations

import asyncio
import re
import subprocess

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.bus.topic import PARTITIONS, TOPIC
from chassis.settings import Ground
from chassis.web.oidc.settings import Oidc, Seat
from deploy.demo.person import Person
from deploy.demo.walk import Applicant, Plan, Walk
from deploy.demo.week import national_code
from deploy.local.processes import kafka_port
from services.review.app import door
from tests.journeys.stack import DOORS, Stack

CANARY = Applicant(national_code(123_987_456), "کاناریا زردبال", "09139876543", "canaria.zardbal@example.org")
OTHER = Applicant(national_code(223_456_789), "دیگری", "09130000001")
ROUTES = {
    "GET /", "GET /queue", "GET /api/queue", "GET /cases/{case_id}", "POST /cases/{case_id}/open",
    "GET /cases/{case_id}/documents/{document_id}", "POST /cases/{case_id}/approve", "POST /cases/{case_id}/reject",
    "POST /cases/{case_id}/correct", "POST /cases/{case_id}/inquire", "POST /cases/{case_id}/take-back",
    "POST /cases/{case_id}/suspend", "POST /cases/{case_id}/refuse", "GET /supervision",
    "POST /supervision/resume/{case_id}", "POST /supervision/release",
    "POST /supervision/release-stream", "GET /sign-in", "POST /sign-in", "POST /sign-out",
    "POST /language", "GET /sign-in/oidc", "GET /sign-in/oidc/return", "POST /sign-in/oidc/logout", "GET /signed-out",
    "GET /health", "GET /ready", "GET /metrics", "GET /status.json", "GET /static/{digest}/{name}",
}  # fmt: skip
"""Every route of review that was looked at for a side door; a new one must be looked at before it is added here."""


def needles() -> list[bytes]:
    texts = [CANARY.national_code, CANARY.name, "زردبال", CANARY.mobile, CANARY.email, "zardbal"]
    return [text.encode() for text in texts] + [text.encode("unicode_escape") for text in ("زردبال",)]


def test_review_has_no_route_that_nobody_looked_at() -> None:
    oidc = Oidc(issuer="https://id.example", client_id="review", roles={"reviewers": Seat(role="reviewer")})
    routers = [
        getattr(route, "original_router", None) for route in door(Ground(oidc=oidc, doors={"review": "http://review"})).routes
    ]
    routes = [route for router in routers if router is not None for route in router.routes]
    found = {f"{method} {route.path}" for route in routes for method in route.methods}
    assert found == ROUTES


async def drawn_case(house: Stack, applicant: Applicant) -> tuple[str, list[str], Walk]:
    """A case of `applicant` up to the reviewer, and everything that review answers about it."""
    walk = Walk(DOORS, house.var / "outbox")
    office = await walk.staff("intake", "office1")
    case, _ = await walk.file(office, Plan("building_permit", 2, "office1", applicant))
    await walk.check_identity(case)
    reviewer: Person = await walk.drawn(case)
    await house.settled()
    opened = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
    queue = (await reviewer.get("/api/queue", accept="application/json")).json()
    answers = [
        str(next(task for task in queue if task["case"] == case)),
        (await reviewer.get(f"/cases/{case}")).text,
        opened.text,
    ]
    for path in re.findall(rf'"(/cases/{case}/documents/[^"]+)"', opened.text):
        answers.append((await reviewer.get(path.replace("&amp;", "&"), accept="*/*")).content.hex())
    return case, answers, walk


def faceless(text: str, case: str) -> str:
    """An answer without what differs in each case by chance alone: its id, times, keys, versions and the agenda's pace."""
    text = text.replace(case, "CASE")
    text = re.sub(r'<span class="visually-hidden">[^<]*</span>', "THE REVIEWER", text)  # another one may have been drawn
    text = re.sub(r'name="(_csrf|_once|seen)" value="[^"]*"', r'name="\1"', text)
    text = re.sub(r"documents/CASE\.[0-9a-f]+\?key=[\w-]+", "documents/D", text)
    text = re.sub(r"<time.*?</time>", "TIME", text)
    # The agenda sets the target a moment before or after what people do: which comes first tells nothing of the applicant.
    text = re.sub(
        r'(<ol class="way mt-3">)(.*?)</ol>', lambda way: way[1] + "".join(sorted(way[2].split("<li>"))), text, flags=re.S
    )
    return re.sub(r"20\d\d-\d\d-\d\dT[0-9:.+]+", "TIME", text)


async def test_two_applicants_with_the_same_case_give_the_same_answers_from_review(house: Stack) -> None:
    one, answers, walk = await drawn_case(house, CANARY)
    other, other_answers, other_walk = await drawn_case(house, OTHER)
    assert len(answers) == len(other_answers) == 7
    assert [faceless(text, one) for text in answers] == [faceless(text, other) for text in other_answers]
    for text in answers:
        assert not any(needle in text.encode() for needle in needles())
    await walk.close()
    await other_walk.close()


async def test_the_canary_is_in_no_log_row_topic_projection_or_log_line(house: Stack) -> None:
    await house.walk([Plan("building_permit", 2, None, CANARY, correction=True, agency="fire")])
    await house.settled()
    for service, database in (("audit", "caselog"), ("review", "review"), ("inquiry", "inquiry"), ("notify", "notify"),
                              ("audit", "audit"), ("relay", "relay"), ("intake", "intake"), ("intake", "vault")):  # fmt: skip
        content = await everything(house, service, database)
        found = [needle for needle in needles() if needle in content]
        assert found == [], (database, found)
    topic = await everything_on_the_topic()
    assert len(topic) > 10_000
    assert [needle for needle in needles() if needle in topic] == []
    for path in [
        house.log,
        *(house.var / "logs").glob("*.log"),
        house.var / "postgres" / "postgres.log",
        house.var / "kafka" / "kafka.log",
    ]:
        content = path.read_bytes()
        assert [needle for needle in needles() if needle in content] == [], path
    # The oracle itself: where the canary must be, it is found.
    assert any(CANARY.mobile.encode() in path.read_bytes() for path in (house.var / "outbox" / "sms").glob("*.json"))


async def everything(house: Stack, service: str, database: str) -> bytes:
    connection = await asyncpg.connect(**house.ground(service).as_owner(database))
    try:
        tables = await connection.fetch(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
        )
        parts = []
        for table in tables:
            for row in await connection.fetch(f"SELECT * FROM {table['name']}"):
                parts.append(b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values()))
    finally:
        await connection.close()
    assert parts
    return b"\n".join(parts)


async def everything_on_the_topic() -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{kafka_port()}", auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        parts: list[bytes] = []
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    parts.append(record.value + b"".join(value or b"" for _, value in record.headers))
        return b"\n".join(parts)
    finally:
        await consumer.stop()


async def test_review_cannot_open_identity_or_contact_of_a_real_case(house: Stack) -> None:
    connection = await asyncpg.connect(**house.ground("intake").as_owner("vault"))
    keys = {row["class"]: row["key_id"] for row in await connection.fetch("SELECT class, key_id FROM vault.keys")}
    await connection.close()
    mine = await asyncpg.connect(**house.ground("review").as_service("review", "vault"))
    try:
        assert await mine.fetchrow("SELECT * FROM vault.key($1)", keys["property"])
        for data_class in ("identity", "contact"):
            try:
                await mine.fetchrow("SELECT * FROM vault.key($1)", keys[data_class])
            except asyncpg.InsufficientPrivilegeError:
                continue
            raise AssertionError(f"review got a key of class {data_class}")
    finally:
        await mine.close()
    assert not (house.var / "keys" / "review" / "wrap-identity.key").exists()


async def test_each_process_is_given_its_own_passwords_only(house: Stack) -> None:
    environment = await asyncio.to_thread(
        subprocess.run, ["cat", f"/proc/{house._pid('review')}/environ"], capture_output=True, check=True
    )
    others = [password for role, password in house.passwords.items() if role not in ("review", "review_reader")]
    assert house.passwords["review"].encode() in environment.stdout
    assert not any(password.encode() in environment.stdout for password in others)

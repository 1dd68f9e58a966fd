"""Blindness: no route of review knows a person, two applicants look the same, and a canary is found nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg
import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.eventing.kafka.topic import PARTITIONS, TOPIC
from chassis.oidc_settings import Oidc, Seat
from chassis.settings import Settings
from deploy.demo.person import Person, forms
from deploy.demo.plan import Applicant, Plan
from deploy.demo.walk import Walk
from deploy.demo.week import national_code
from deploy.local.processes import kafka_port, service_urls
from services.review.app import create_app
from tests.journeys.stack import Stack
from tests.stack.memory import holds

CANARY = Applicant(national_code(123_987_456), "کاناریا زردبال", "09139876543", "canaria.zardbal@example.org")
OTHER = Applicant(national_code(223_456_789), "دیگری", "09130000001")
OFFICE = ("دفتر پیشخوان آزادی", "Azadi counter office")
"""What the counter office of the tour is called: its applicants know it, review does not."""
ROUTES = {
    "GET /", "GET /queue", "GET /api/queue", "GET /cases/{case_id}", "POST /cases/{case_id}/open",
    "GET /cases/{case_id}/documents/{document_id}", "POST /cases/{case_id}/approve", "POST /cases/{case_id}/reject",
    "POST /cases/{case_id}/correct", "POST /cases/{case_id}/inquire", "POST /cases/{case_id}/take-back",
    "POST /cases/{case_id}/suspend", "POST /cases/{case_id}/refuse", "GET /supervision",
    "GET /supervision/escalations", "GET /supervision/undrawn", "GET /supervision/suspended",
    "POST /supervision/resume/{case_id}", "POST /supervision/release",
    "POST /supervision/release-stream", "GET /sign-in", "POST /sign-in", "POST /sign-out",
    "POST /language", "GET /sign-in/oidc", "GET /sign-in/oidc/return", "POST /sign-in/oidc/logout", "GET /signed-out",
    "GET /health", "GET /ready", "GET /metrics", "GET /status.json", "GET /static/{digest}/{name}",
}  # fmt: skip
"""Every route of review that was looked at for a side door; a new one must be looked at before it is added here."""


CASELESS = {
    "GET /sign-in/oidc", "GET /sign-in/oidc/return", "POST /sign-in/oidc/logout", "GET /signed-out",
    "GET /health", "GET /ready", "GET /metrics", "GET /status.json", "GET /static/{digest}/{name}",
}  # fmt: skip
"""Routes that no case reaches: signing in elsewhere, counts, files. Every other one is asked about two applicants."""


def needles() -> list[bytes]:
    texts = [CANARY.national_code, CANARY.name, "زردبال", CANARY.mobile, CANARY.email, "zardbal"]
    return [text.encode() for text in texts] + [text.encode("unicode_escape") for text in ("زردبال",)]


def test_review_has_no_route_that_nobody_looked_at() -> None:
    oidc = Oidc(issuer="https://id.example", client_id="review", roles={"reviewers": Seat(role="reviewer")})
    routers = [
        getattr(route, "original_router", None)
        for route in create_app(Settings(oidc=oidc, doors={"review": "http://review"})).routes
    ]
    routes = [route for router in routers if router is not None for route in router.routes]
    found = {f"{method} {route.path}" for route in routes for method in route.methods}
    assert found == ROUTES


@dataclass
class Tour:
    """One case through every route of review; what each answered."""

    house: Stack
    walk: Walk
    case: str = ""
    answers: list[tuple[str, str]] = field(default_factory=list)
    """Route, and the whole answer without what differs by chance alone."""
    raw: list[bytes] = field(default_factory=list)

    async def note(self, answer: httpx2.Response) -> None:
        """Keep an answer of review: status, headers and body; of a list only what it says of this case."""
        body = (await answer.aread()).decode("latin-1" if "pdf" in answer.headers.get("content-type", "") else "utf-8")
        path = answer.url.path
        if path == "/queue" or path.startswith("/supervision"):
            body = "".join(part for part in re.split(r"(?=<tr>|<form)", body) if self.case in part)
        elif path == "/api/queue":
            body = str([task for task in answer.json() if task["case"] == self.case])
        route = re.sub(r"/documents/[^/]+$", "/documents/{document_id}", path.replace(self.case, "{case_id}"))
        headers = {name: value for name, value in answer.headers.items() if name not in ("date", "content-length", "set-cookie")}
        self.answers.append((f"{answer.request.method} {route}", faceless(f"{answer.status_code} {headers}\n{body}", self.case)))
        self.raw.append(f"{headers}\n{body}".encode())

    async def say(self, person: Person, path: str, action: str = "", values: Mapping[str, str] | None = None) -> httpx2.Response:
        """Get `path`, and send the form `action` that stands there; the answers are kept."""
        hooks = person._client.event_hooks
        person._client.event_hooks = {"response": [self.note]}
        try:
            page = await person._client.get(path)
            if not action:
                return page
            form = next(each for each in forms(page.text) if each.action.endswith(action))
            return await person._client.post(form.action, data={**form.hidden, **(values or {})})
        finally:
            person._client.event_hooks = hooks

    async def decide(self, reviewer: Person, action: str, values: Mapping[str, str] | None = None) -> None:
        """Open the case, and send one of the forms on the page of its material."""
        opened = await self.say(reviewer, f"/cases/{self.case}", "/open")
        form = next(each for each in forms(opened.text) if each.action.endswith(action))
        reviewer._client.event_hooks = {"response": [self.note]}
        await reviewer._client.post(form.action, data={**form.hidden, **(values or {})})
        reviewer._client.event_hooks = {}
        await self.house.settled()  # what the agenda does next is on the next page in both cases, or in none


async def tour(house: Stack, applicant: Applicant) -> Tour:
    """A case of `applicant` through every route of review."""
    t = Tour(house, Walk(service_urls(), house.var / "outbox", seconds=150))
    office = await t.walk.staff("intake", "office1")
    t.case, _ = await t.walk.file(office, Plan("building_permit", 2, "office1", applicant))
    await t.walk.check_identity(t.case)
    reviewer, supervisor = await t.walk.drawn(t.case), await t.walk.staff("review", "supervisor1")
    await house.settled()
    for path in ("/", "/queue", "/api/queue", f"/sign-in?next=/cases/{t.case}"):
        await t.say(reviewer, path)
    opened = await t.say(reviewer, f"/cases/{t.case}", "/open")
    for path in re.findall(rf'"(/cases/{t.case}/documents/[^"]+)"', opened.text):
        await t.say(reviewer, path.replace("&amp;", "&"))
    await t.decide(reviewer, "/inquire", {"agency": "fire", "question": "fire_safety", "note": "پنج طبقه"})
    await t.decide(reviewer, "/take-back", {"reason": "not_needed"})
    await t.decide(reviewer, "/suspend", {"reason": "article_100"})
    for each in ("escalations", "undrawn", "suspended"):
        await t.say(supervisor, f"/supervision/{each}")
    await t.say(supervisor, "/supervision", f"/supervision/resume/{t.case}", {"reason": "violation_settled"})
    await house.settled()
    await t.decide(reviewer, "/correct", {"reasons": "plans_wrong", "note": "مقیاس"})
    await office.send(await office.get(f"/cases/{t.case}"), "/answer", {"text": "درست شد"})
    await house.settled()
    await t.decide(reviewer, "/reject")  # without a reason: refused, and said so
    await t.decide(reviewer, "/refuse", {"reason": "interest"})
    await t.say(reviewer, f"/cases/{t.case}")  # no longer theirs
    another = await t.walk.drawn(t.case)
    await house.settled()
    await t.decide(another, "/approve", {"conditions": "levy_paid"})
    await t.say(another, f"/cases/{t.case}", "/open")  # after the end
    await t.say(supervisor, "/supervision")
    for path, values in (
        ("/supervision/release", {"item": "00" * 32}),
        ("/supervision/release-stream", {"reader": "cases", "stream": f"case:{t.case}"}),
    ):
        csrf = forms((await supervisor.get("/supervision")).text)[0].hidden["_csrf"]
        await t.note(await supervisor._client.post(path, data={**values, "_csrf": csrf}))
    async with Person(service_urls()["review"]) as nobody:
        await t.say(nobody, f"/sign-in?next=/cases/{t.case}", "/language", {"next": f"/cases/{t.case}"})
        await t.say(nobody, "/sign-in", "/sign-in", {"username": "reviewer1", "password": "reviewer1-demo"})
        await t.say(nobody, f"/cases/{'b' * 26}", "/sign-out")
    return t


def faceless(text: str, case: str) -> str:
    """An answer without what differs in each case by chance alone: its id, times, keys, versions and the agenda's pace."""
    text = text.replace(case, "CASE")
    text = re.sub(r'<span class="visually-hidden">[^<]*</span>', "THE REVIEWER", text)  # another one may have been drawn
    text = re.sub(r'name="(_csrf|_once|seen)" value="[^"]*"', r'name="\1"', text)
    text = re.sub(r"documents/CASE\.[0-9a-f]+\?key=[\w-]+", "documents/D", text)
    text = re.sub(r'(p-back-|name="inquiry_id" value=")[0-9a-f]{16}', r"\1", text)  # made from the key of the request
    text = re.sub(r"<time.*?</time>", "TIME", text)
    # The agenda sets the target a moment before or after what people do: which comes first tells nothing of the applicant.
    text = re.sub(
        r'(<ol class="way mt-3">)(.*?)</ol>',
        lambda way: way[1] + "".join(sorted(map(str.strip, way[2].split("<li>")))),
        text,
        flags=re.S,
    )
    return re.sub(r"20\d\d-\d\d-\d\dT[0-9:.+]+", "TIME", text)


@pytest.mark.timeout(400)
async def test_two_applicants_with_the_same_case_give_the_same_answers_from_every_route_of_review(house: Stack) -> None:
    one, other = await tour(house, CANARY), await tour(house, OTHER)
    assert {route for route, _ in one.answers} == {*ROUTES - CASELESS, "GET /cases/" + "b" * 26}
    assert [route for route, _ in one.answers] == [route for route, _ in other.answers]
    for (route, answer), (_, same) in zip(one.answers, other.answers, strict=True):
        assert answer == same, route
    for content in one.raw:
        assert not any(needle in content for needle in needles())
        assert not any(name.encode() in content for name in OFFICE)
    await one.walk.close()
    await other.walk.close()


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
    connection = await asyncpg.connect(**house.settings_of(service).as_owner(database))
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
    walk = Walk(service_urls(), house.var / "outbox")
    await walk.file(await walk.staff("intake", "office1"), Plan("building_permit", 2, "office1", OTHER))
    await walk.close()
    connection = await asyncpg.connect(**house.settings_of("intake").as_owner("vault"))
    keys = {row["class"]: row["key_id"] for row in await connection.fetch("SELECT class, key_id FROM vault.keys")}
    await connection.close()
    mine = await asyncpg.connect(**house.settings_of("review").as_service("review", "vault"))
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


@pytest.mark.parametrize("name", ["relay", "intake", "review", "inquiry", "notify", "audit", "fork-server"])
async def test_each_process_holds_its_own_passwords_only(house: Stack, name: str) -> None:
    """In all of its memory: a process that was forked inherits what its parent had read."""
    passwords = house.passwords | {"owner": (house.var / "postgres" / "owner.password").read_text().strip()}
    held = {role for role, password in passwords.items() if holds(house.pid(name), password)}
    assert held == {role for role in (name, f"{name}_reader") if role in passwords}

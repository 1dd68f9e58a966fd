"""The way of one request, by each of its people in turn."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pikepdf

from deploy.demo.person import Person, Unexpected, case_id, tracking_code
from schemas.catalogue import RequestType, catalogue

SECONDS: Final = 30.0
REVIEWERS: Final = tuple(f"reviewer{n}" for n in range(1, 6))


@dataclass(frozen=True)
class Applicant:
    """An invented citizen."""

    national_code: str
    name: str
    mobile: str
    email: str = ""


@dataclass(frozen=True)
class Plan:
    """What happens in one request."""

    kind: str
    district: int
    office: str | None
    applicant: Applicant
    correction: bool = False
    agency: str | None = None
    end: str = "approve"
    """`approve`, `reject` or `withdraw`."""


@dataclass(frozen=True)
class Walked:
    """What became of a planned request."""

    plan: Plan
    case_id: str
    tracking_code: str
    seconds: float


@cache
def paper() -> bytes:
    """A small genuine PDF."""
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(out)
    return out.getvalue()


async def until(what: str, look: Callable[[], Awaitable[Any]], seconds: float) -> Any:
    """The first true answer of `look`; raises Unexpected naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := await look():
            return found
        await asyncio.sleep(0.1)  # asked again until the deadline
    raise Unexpected(f"{what} did not happen within {seconds:.0f} s")


class Walk:
    """Everybody who takes part; the staff sign in once."""

    def __init__(self, doors: Mapping[str, str], outbox: Path, *, seconds: float = SECONDS) -> None:
        """`seconds`: how long a person waits for the next step of the house before giving up."""
        self._doors, self._outbox, self._seconds = doors, outbox, seconds
        self._staff: dict[str, Person] = {}
        self._codes = asyncio.Lock()

    async def close(self) -> None:
        """Everybody goes home."""
        for person in self._staff.values():
            await person.__aexit__(None, None, None)

    async def staff(self, door: str, username: str) -> Person:
        """A signed-in member of staff."""
        name = f"{door} {username}"
        if name not in self._staff:
            self._staff[name] = await Person(self._doors[door]).sign_in(username, f"{username}-demo")
        return self._staff[name]

    async def citizen(self, applicant: Applicant) -> Person:
        """A signed-in citizen; the one-time code is read from the outbox, as from a telephone."""
        person = Person(self._doors["intake"])
        async with self._codes:  # one at a time: a code is known by being new in the outbox
            before = {path.name for path in (self._outbox / "sms").glob("*.json")}
            page = await person.get("/citizen/sign-in")
            values = {"national_code": applicant.national_code, "mobile": applicant.mobile}
            page = await person.send(page, "/citizen/sign-in", values)

            async def arrived() -> str | None:
                for path in (self._outbox / "sms").glob("*.json"):
                    if path.name not in before:
                        message = json.loads(path.read_bytes())
                        code = re.search(r"\b(\d{6})\b", message["text"])
                        if message["to"] == applicant.mobile and code and "http" not in message["text"]:
                            return code.group(1)
                return None

            code = await until("the one-time code", arrived, self._seconds)
        await person.send(page, "/citizen/code", {"code": code})
        return person

    async def request(self, plan: Plan) -> Walked:
        """Walk one request to its end. Raises Unexpected."""
        began = time.monotonic()
        filer = await self.staff("intake", plan.office) if plan.office else await self.citizen(plan.applicant)
        try:
            case, code = await self.file(filer, plan)
            if plan.end == "withdraw":
                page = await filer.get(f"/cases/{case}")
                await filer.send(page, "/withdraw", {"reason": "changed_mind"})
            else:
                await self.check_identity(case)
                reviewer = await self.drawn(case)
                await self.review(filer, reviewer, case, plan)
                await self.end(filer, reviewer, case, plan)
        finally:
            if not plan.office:
                await filer.__aexit__(None, None, None)
        return Walked(plan, case, code, time.monotonic() - began)

    async def file(self, filer: Person, plan: Plan) -> tuple[str, str]:
        """File the request by the form of its type; case id and tracking code."""
        kind = catalogue().types[plan.kind]
        page = await filer.get(f"/new/{plan.kind}")
        answer = await filer.send(page, f"/new/{plan.kind}", answers(kind, plan), documents(kind))
        return case_id(answer), tracking_code(answer.text)

    async def check_identity(self, case: str) -> None:
        """The clerk opens the papers, confirms, and releases the copies."""
        clerk = await self.staff("intake", "clerk1")
        page = await clerk.send(await clerk.get(f"/identity/{case}"), "/open")
        await clerk.send(page, "/confirm")

    async def drawn(self, case: str) -> Person:
        """The reviewer in whose queue the case appears."""

        async def found() -> Person | None:
            for username in REVIEWERS:
                reviewer = await self.staff("review", username)
                queue = (await reviewer.get("/api/queue", accept="application/json")).json()
                if any(task["case"] == case for task in queue):
                    return reviewer
            return None

        reviewer: Person = await until("the draw", found, self._seconds)
        return reviewer

    async def review(self, filer: Person, reviewer: Person, case: str, plan: Plan) -> None:
        """Corrections and inquiries, as far as the plan has them."""
        if plan.correction:
            page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
            await reviewer.send(page, "/correct", {"reasons": "plans_incomplete", "note": "برگهٔ دوم نیست"})

            async def asked() -> Any:
                found = await filer.get(f"/cases/{case}")
                return found if "/answer" in found.text else None

            page = await until("the correction", asked, self._seconds)
            await filer.send(page, "/answer", {"text": "برگهٔ دوم پیوست شد"})
        if plan.agency:
            page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
            await reviewer.send(page, "/inquire", {"agency": plan.agency, "question": "fire_safety", "note": "ساختمان پنج طبقه"})
            await self.agency_answers(case, plan.agency)

    async def agency_answers(self, case: str, agency: str) -> None:
        """The agency finds the question, opens it and answers."""
        officer = await self.staff("inquiry", agency)

        async def listed() -> str | None:
            found = re.search(rf"/inquiries/{case}/[0-9a-f]+", (await officer.get("/")).text)
            return found.group() if found else None

        path = await until("the question", listed, self._seconds)
        page = await officer.send(await officer.get(path), "/open")
        await officer.send(page, "/answer", {"answer": "no_objection", "note": "بلامانع است"})

    async def end(self, filer: Person, reviewer: Person, case: str, plan: Plan) -> None:
        """The decision, and after an approval the certificate."""
        page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
        values = {"reasons": "outside_detailed_plan"} if plan.end == "reject" else {}
        await reviewer.send(page, f"/{plan.end}", values)
        if plan.end == "approve":

            async def issued() -> bool:
                return f"/cases/{case}/certificate" in (await filer.get(f"/cases/{case}")).text

            await until("the certificate", issued, self._seconds)
            found = await filer.get(f"/cases/{case}/certificate", accept="*/*")
            if not found.content.startswith(b"%PDF-"):
                raise Unexpected("the certificate is no PDF")


def answers(kind: RequestType, plan: Plan) -> dict[str, str]:
    """What a person writes into the form."""
    free = {
        "registry_plate": "۱۲۳۴/۵۶", "renewal_code": "۷-۸۹-۱۲", "address": "خیابان شریعتی، کوچهٔ ۵",
        "asking_body": "بانک ملی", "letter_number": "۱۴۰۵/۷۷",
    }  # fmt: skip
    found = {f.key: "3" if f.kind == "number" else free.get(f.key, "نوشتهٔ نمونه") for f in kind.fields}
    person = plan.applicant
    return {
        **found,
        "district": str(plan.district),
        "national_code": person.national_code,
        "name": person.name,
        "mobile": person.mobile,
        "email": person.email,
    }


def documents(kind: RequestType) -> list[tuple[str, tuple[str, bytes, str]]]:
    """The required papers of a type."""
    return [(f"document_{each.key}", (f"{each.key}.pdf", paper(), "application/pdf")) for each in kind.documents if each.required]

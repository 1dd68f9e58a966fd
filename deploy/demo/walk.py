"""The way of one request, by each of its people in turn."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.demo.filled import answers, documents
from deploy.demo.person import Person, Unexpected, case_id, forms, tracking_code
from deploy.demo.plan import Applicant, Plan, Walked
from schemas.catalogue import catalogue
from schemas.envelope.calendar import HURRIED

SECONDS: Final = 30.0
ENDS: Final = Counter(["case.approved", "case.rejected", "case.withdrawn"])
OPENS: Final = {"papers": ("identity.questioned",), "correction": ("correction.requested",), "agency": ("inquiry.opened",)}
OVERDUE: Final = {"papers": "identity.overdue", "correction": "correction.overdue", "agency": "inquiry.overdue"}
"""The fact that opens a wait, and the one that says that its time passed."""
REVIEWERS: Final = tuple(f"reviewer{n}" for n in range(1, 6))


async def until(what: str, look: Callable[[], Awaitable[Any]], seconds: float) -> Any:
    """The first true result of `look`; raises Unexpected naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := await look():
            return found
        await asyncio.sleep(0.1)  # retries until the deadline
    raise Unexpected(f"{what} did not happen within {seconds:.0f} s")


class Walk:
    """Everybody who takes part; the staff sign in once."""

    def __init__(
        self, doors: Mapping[str, str], outbox: Path, *, seconds: float = SECONDS, person: Callable[[str], Person] = Person
    ) -> None:
        """`seconds`: how long a person waits for the next step before giving up; `person`: the class of whoever signs in."""
        self._doors, self._outbox, self._seconds, self._person = doors, outbox, seconds, person
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
            self._staff[name] = await self._person(self._doors[door]).sign_in(username, f"{username}-demo")
        return self._staff[name]

    async def citizen(self, applicant: Applicant) -> Person:
        """A signed-in citizen; the one-time code is read from the outbox, as from a telephone."""
        person = self._person(self._doors["intake"])
        async with self._codes:  # one at a time: a code is known by being new in the outbox
            before = {path.name for path in (self._outbox / "sms").glob("*.json")}
            page = await person.get("/citizen/sign-in")
            values = {"national_code": applicant.national_code, "mobile": applicant.mobile}
            page = await person.send(page, "/citizen/sign-in", values)

            async def arrived() -> str | None:
                # The newest: a request whose response was lost has sent a code too, which opens nothing here.
                for path in sorted((self._outbox / "sms").glob("*.json"), key=lambda each: each.stat().st_mtime_ns, reverse=True):
                    if path.name not in before:
                        message = json.loads(path.read_bytes())
                        code = re.search(r"\b(\d{6})\b", message["text"])
                        if message["to"] == applicant.mobile and code and "http" not in message["text"]:
                            return code.group(1)
                return None

            code = await until("the one-time code", arrived, self._seconds)
        try:
            await person.send(page, "/citizen/code", {"code": code})
        except Unexpected:
            if not person.tried_again:
                raise
            # An answer was lost on its way: it had spent the code, or this is the code of a page that never came.
            return await self.citizen(applicant)
        return person

    async def request(
        self, plan: Plan, known: tuple[str, str] | None = None, filed: Callable[[str, str], None] = lambda _case, _code: None
    ) -> Walked:
        """Walk one request to its end, or resume a `known` case (its id and tracking code). Raises Unexpected."""
        began = time.monotonic()
        filer = await self.staff("intake", plan.office) if plan.office else await self.citizen(plan.applicant)
        try:
            case, code = known if known else await self.file(filer, plan)
            filed(case, code)
            done = await self.happened(case) if known else Counter()
            if not done & ENDS:
                await self.to_the_decision(filer, case, plan, done)
            if plan.end == "approve":
                await self.certificate(filer, case)
        finally:
            if not plan.office:
                await filer.__aexit__(None, None, None)
        return Walked(plan, case, code, time.monotonic() - began)

    async def happened(self, case: str) -> Counter[str]:
        """The facts of a case by type, as the auditor reads them."""
        auditor = await self.staff("audit", "auditor1")
        report = (await auditor.get(f"/cases/{case}/timeline.json", accept="application/json")).json()
        return Counter(fact["type"].partition("/")[0] for fact in report["facts"])

    async def to_the_decision(self, filer: Person, case: str, plan: Plan, done: Counter[str]) -> None:
        """Every step that is still missing, up to the end of the case."""
        if plan.end == "withdraw":
            page = await filer.get(f"/cases/{case}")
            await filer.send(page, "/withdraw", {"reason": "changed_mind"})
            return
        if plan.papers:
            await self.other_papers(filer, case, plan, done)
        if not done["identity.confirmed"]:
            await self.check_identity(case)
        if plan.refusal and not done["assignment.refused"]:
            reviewer = await self.drawn(case)
            page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
            await reviewer.send(page, "/refuse", {"reason": "interest"})
        reviewer = await self.drawn(case)
        if plan.suspension:
            await self.commission(reviewer, case, done)
        await self.review(filer, reviewer, case, plan, done)
        page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
        values = {"reasons": "outside_detailed_plan"} if plan.end == "reject" else {}
        await reviewer.send(page, f"/{plan.end}", values)

    async def overdue(self, case: str, which: str) -> None:
        """Wait for a deadline to pass where the clock runs fast; with real working days this does not wait."""
        auditor = await self.staff("audit", "auditor1")
        path = f"/cases/{case}/timeline.json"
        facts = (await auditor.get(path, accept="application/json")).json()["facts"]
        deadlines = [fact["body"].get("deadline") for fact in facts if fact["type"].partition("/")[0] in OPENS[which]]
        if not deadlines or deadlines[-1]["calendar_version"] != HURRIED:
            return

        async def passed() -> bool:
            return bool((await self.happened(case))[OVERDUE[which]])

        await until(f"the passing of the time for {which}", passed, self._seconds + 60)

    async def other_papers(self, filer: Person, case: str, plan: Plan, done: Counter[str]) -> None:
        """The clerk asks for other papers, and the applicant brings them."""
        if not done["identity.questioned"]:
            clerk = await self.staff("intake", "clerk1")
            page = await clerk.send(await clerk.get(f"/identity/{case}"), "/open")
            await clerk.send(page, "/question", {"reasons": "unreadable", "note": "روی کارت خوانا نیست"})
        if not done["identity.answered"]:
            if plan.late == "papers":
                await self.overdue(case, "papers")
            page = await self.asked(filer, case)
            await filer.send(page, "/answer", {"text": "کارت دوباره پیوست شد"})

    async def asked(self, filer: Person, case: str) -> Any:
        """The applicant's page with the open question."""

        async def there() -> Any:
            found = await filer.get(f"/cases/{case}")
            return found if "/answer" in found.text else None

        return await until("the question to the applicant", there, self._seconds)

    async def commission(self, reviewer: Person, case: str, done: Counter[str]) -> None:
        """The reviewer sends the case to the Article 100 commission; the supervisor resumes it."""
        if not done["case.suspended"]:
            page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
            await reviewer.send(page, "/suspend", {"reason": "article_100"})
        if not done["case.resumed"]:
            supervisor = await self.staff("review", "supervisor1")

            async def listed() -> Any:
                return await supervisor.look("/supervision/suspended", f"/supervision/resume/{case}")

            page = await until("the suspended case", listed, self._seconds)
            await supervisor.send(page, f"/supervision/resume/{case}", {"reason": "violation_settled"})

    async def file(self, filer: Person, plan: Plan) -> tuple[str, str]:
        """File the request by the form of its type; case id and tracking code."""
        kind = catalogue().types[plan.kind]
        page = await filer.get(f"/new/{plan.kind}")
        once = {"_once": f"demonstration {plan.key}"} if plan.key else {}
        answer = await filer.send(page, f"/new/{plan.kind}", {**answers(kind, plan), **once}, documents(kind))
        return case_id(answer), tracking_code(answer.text)

    async def check_identity(self, case: str) -> None:
        """The clerk opens the papers, confirms, and releases the copies."""
        clerk = await self.staff("intake", "clerk1")
        page = await clerk.send(await clerk.get(f"/identity/{case}"), "/open")
        await clerk.send(page, "/confirm")

    async def drawn(self, case: str) -> Person:
        """The reviewer whose queue shows the case.

        A queue is made of rows, and they may still show the case to who has just refused it; the page asks the log.
        """

        async def found() -> Person | None:
            for username in REVIEWERS:
                reviewer = await self.staff("review", username)
                queue = (await reviewer.get("/api/queue", accept="application/json")).json()
                if any(task["case"] == case for task in queue) and await reviewer.may_open(f"/cases/{case}"):
                    return reviewer
            return None

        reviewer: Person = await until("the draw", found, self._seconds)
        return reviewer

    async def review(self, filer: Person, reviewer: Person, case: str, plan: Plan, done: Counter[str]) -> None:
        """Corrections and inquiries, as far as the plan has them."""
        if plan.correction:
            if not done["correction.requested"]:
                page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
                await reviewer.send(page, "/correct", {"reasons": "plans_incomplete", "note": "برگهٔ دوم نیست"})
            if not done["correction.answered"]:
                if plan.late == "correction":
                    await self.overdue(case, "correction")
                await filer.send(await self.asked(filer, case), "/answer", {"text": "برگهٔ دوم پیوست شد"})
        if plan.agency:
            if not done["inquiry.requested"]:
                page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
                values = {"agency": plan.agency, "question": "fire_safety", "note": "ساختمان پنج طبقه"}
                await reviewer.send(page, "/inquire", values)
            if not done["inquiry.answered"]:
                await self.agency_answers(case, plan)

    async def agency_answers(self, case: str, plan: Plan) -> None:
        """The agency finds the question, opens it and answers."""
        officer, question = await self.staff("inquiry", plan.agency or ""), rf"/inquiries/{case}/[0-9a-f]+"

        async def listed() -> str | None:
            page = await officer.look("/", question)
            found = re.search(question, page.text) if page else None
            return found.group() if found else None

        path = await until("the question", listed, self._seconds)
        if plan.late == "agency":
            await self.overdue(case, "agency")
        page = await officer.send(await officer.get(path), "/open")
        await officer.send(page, "/answer", {"answer": "no_objection", "note": "بلامانع است"})

    async def certificate(self, filer: Person, case: str) -> None:
        """The applicant gets the certificate."""

        path = f"/cases/{case}/certificate"

        async def issued() -> Any:
            found = await filer.get(f"/cases/{case}")
            return found if path in found.text else None

        page = await until("the certificate", issued, self._seconds)
        by_office = any(form.action == path for form in forms(page.text))
        found = await (filer.send(page, path) if by_office else filer.get(path, accept="*/*"))
        if not found.content.startswith(b"%PDF-"):
            raise Unexpected("the certificate is no PDF")

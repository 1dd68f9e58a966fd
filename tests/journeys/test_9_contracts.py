"""Every door keeps its OpenAPI document: no answer that it does not name, and no 5xx, whatever is asked.

`make contracts` asks each service at least 1,000 requests (EXAMPLES); here as many as a run of all tests has time for.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Final

import pytest

from deploy.demo.filled import answers, paper
from deploy.demo.person import Person
from deploy.demo.plan import Applicant, Plan
from deploy.demo.walk import Walk
from deploy.demo.week import national_code
from deploy.local.processes import service_urls
from schemas.catalogue import catalogue
from tests.journeys.asking import Asking, Knowledge, Signed
from tests.journeys.stack import Stack

SEED: Final = 20261125
EXAMPLES: Final = int(os.environ.get("EXAMPLES", "120"))
APPLICANT: Final = Applicant(national_code(456_123_789), "پیمان آزما", "09135554433")
STAFF: Final = {
    "intake": {"office_operator": "office1", "identity_clerk": "clerk1", "engineer": "engineer1"},
    "review": {"supervisor": "supervisor1"},
    "inquiry": {"agency_officer": "fire"},
    "notify": {"operator": "operator1"},
    "audit": {"auditor": "auditor1"},
}


def signed(service: str, person: Person) -> Signed:
    return Signed(service, str(person._client.cookies[f"parvandeh_{service}"]))


class Town:
    """A few cases in every state, and everybody who may ask about them."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Signed]] = {service: {} for service in STAFF}
        self.knows = Knowledge(files={f"document_{d.key}": paper() for k in catalogue().types.values() for d in k.documents})

    async def build(self, house: Stack) -> Town:
        walk = Walk(service_urls(), house.var / "outbox", seconds=120)
        for service, staff in STAFF.items():
            for role, username in staff.items():
                self.people[service][role] = signed(service, await walk.staff(service, username))
        office = await walk.staff("intake", "office1")
        citizen = await walk.citizen(APPLICANT)
        self.people["intake"]["citizen"] = signed("intake", citizen)
        ended = await walk.request(Plan("site_visit", 3, "office1", APPLICANT))
        waiting = [await walk.file(office, Plan("site_visit", 2, "office1", APPLICANT)) for _ in range(3)]
        waiting += [await walk.file(citizen, Plan("no_violation", 1, None, APPLICANT))]
        drawn = [await walk.file(office, Plan("building_permit", 2, "office1", APPLICANT)) for _ in range(3)]
        for case, _ in drawn:
            await walk.check_identity(case)
        pages = [(await office.get(f"/cases/{ended.case_id}")).text]
        inquiries = []
        for case, _ in drawn:
            reviewer = await walk.drawn(case)
            self.people["review"]["reviewer"] = signed("review", reviewer)
            page = await reviewer.send(await reviewer.get(f"/cases/{case}"), "/open")
            pages += [page.text]
            await reviewer.send(page, "/inquire", {"agency": "fire", "question": "fire_safety", "note": "پنج طبقه"})
            inquiries += [await self._asked(walk, case)]
        for case, _ in (*waiting, *drawn):
            clerk = await walk.staff("intake", "clerk1")
            pages += [(await clerk.send(await clerk.get(f"/identity/{case}"), "/open")).text]
        filed = (*waiting, *drawn, (ended.case_id, ended.tracking_code))
        self.knows.ids = {
            "case_id": [case for case, _ in filed],
            "document_id": re.findall(r"/documents/([\w-]+)", " ".join(pages)),
            "inquiry_id": inquiries,
            "code": [code for _, code in filed] + re.findall(r"/check/(PK-[A-Z0-9-]+)", " ".join(pages)),
            "kind": list(catalogue().types),
            "name": ["parvandeh.css", "vazirmatn.woff2", "icon.svg"],
        }
        for kind in catalogue().types.values():
            self.knows.forms[f"/new/{kind.key}"] = answers(kind, Plan(kind.key, 4, "office1", APPLICANT))
        assert self.knows.ids["document_id"]
        await walk.close()
        return self

    async def _asked(self, walk: Walk, case: str) -> str:
        officer, question = await walk.staff("inquiry", "fire"), rf"/inquiries/{case}/([0-9a-f]+)"
        for _ in range(600):
            if (page := await officer.look("/", question)) and (found := re.search(question, page.text)):
                return found.group(1)
            await asyncio.sleep(0.1)  # asked again until the question has come over the bus, at most 60 s
        raise AssertionError("the question did not arrive")


@pytest.mark.timeout(3600)
async def test_no_door_answers_what_its_document_does_not_name_and_none_fails(house: Stack) -> None:
    town = await Town().build(house)
    faults: dict[str, str] = {}
    print(f"\nseed {SEED}")
    for name in ("intake", "review", "inquiry", "notify", "audit", "relay", "witness", "agenda"):
        door = service_urls()["intake-agenda" if name == "agenda" else name]
        basic = ("consumer1", "consumer1-demo") if name == "audit" else None
        asking = Asking(name, door, town.people.get(name, {}), town.knows, basic)
        asked = await asyncio.to_thread(asking.ask, EXAMPLES if name in STAFF else EXAMPLES // 10, SEED)
        by_status: dict[str, int] = {}
        for line, count in asking.statuses.items():
            by_status[line[-3:]] = by_status.get(line[-3:], 0) + count
        total = f"{asked} requests and {asking.attacks} with a hostile value"
        print(f"{name}: {total}, {len(asking.faults)} kinds of fault; {dict(sorted(by_status.items()))}")
        assert asked >= EXAMPLES or name not in STAFF
        faults |= asking.faults
    assert not faults, "\n\n".join(f"{what}\n{wrong}" for what, wrong in sorted(faults.items()))
    assert house.faults() == ""
    await house.equals_a_rebuild()

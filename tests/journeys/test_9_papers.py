"""Papers at the real door: never on a disk in clear; none left of what was refused, cut off or killed; none filed is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx2
import pytest

from caselog.read import LogReader
from chassis.privacy.documents.staging import Sweeper
from chassis.privacy.documents.store import DocumentStore
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from deploy.demo.filled import answers, documents, paper
from deploy.demo.person import Person, forms
from deploy.demo.plan import Applicant, Plan
from deploy.demo.walk import Walk
from deploy.demo.week import national_code
from deploy.local.processes import service_urls
from schemas.catalogue import catalogue
from tests.eventing.harness import eventually
from tests.journeys.stack import Stack
from tests.journeys.test_5_bad_input import raw, submissions

KIND = catalogue().types["site_visit"]
APPLICANT = Applicant(national_code(389_123_457), "برگه‌دار نمونه", "09132223344")
PLAN = Plan("site_visit", 1, "office1", APPLICANT)
CANARY = b"canary of the door "


def stored(house: Stack) -> set[str]:
    return {path.name for path in (house.var / "documents").iterdir()}


def on_the_disk(house: Stack) -> list[bytes]:
    """What intake's unnamed files hold; its process is gone for a moment after a kill."""
    found = []
    for link in Path(f"/proc/{house.pid('intake')}/fd").iterdir():
        try:
            target = os.readlink(link)
            if "(deleted)" in target and target.startswith("/") and not target.startswith(("/memfd:", "/dev/")):
                found.append(link.read_bytes())
        except OSError:
            continue
    return found


async def office(house: Stack) -> tuple[Walk, Person, httpx2.Response]:
    walk = Walk(service_urls(), house.var / "outbox")
    person = await walk.staff("intake", "office1")
    return walk, person, await person.get("/new/site_visit")


async def test_an_upload_under_way_is_on_the_disk_sealed_and_cut_off_it_is_nowhere(house: Stack) -> None:
    walk, person, page = await office(house)
    form = next(each for each in forms(page.text) if each.action.endswith("/new/site_visit"))
    before, filed, looked = stored(house), await submissions(house), []

    async def cut() -> AsyncIterator[bytes]:
        for name, value in {**form.hidden, **answers(KIND, PLAN)}.items():
            yield f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--x\r\nContent-Disposition: form-data; name="document_title_deed"; filename="a.pdf"\r\n\r\n%PDF-1.7\n'
        for _ in range(50):
            yield CANARY * 10_000

        async def arrived() -> bool:
            return sum(map(len, on_the_disk(house))) > 4_000_000

        await eventually(arrived, 60)
        looked.append(on_the_disk(house))
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await person._client.post(form.action, content=cut(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert sum(map(len, looked[0])) > 4_000_000
    assert not any(CANARY in each for each in looked[0])

    async def forgotten() -> bool:
        return sum(map(len, on_the_disk(house))) == 0

    await eventually(forgotten, 60)
    assert (stored(house), await submissions(house)) == (before, filed)
    assert house.faults() == ""
    await walk.close()


async def test_many_uploads_at_once_need_little_memory(house: Stack) -> None:
    walk, person, page = await office(house)
    wrong = {**answers(KIND, PLAN), "district": "9"}
    size, crowd = 8_000_000, 12
    files = [(name, (file, b"%PDF-1.7\n" + bytes(size), kind)) for name, (file, _, kind) in documents(KIND)[:1]]
    assert (await raw(person, page, wrong, files)).status_code == 422
    status = begun_anew(house.pid("intake"))
    before = resident(status, "VmRSS")
    found = await asyncio.gather(*(raw(person, page, wrong, files) for _ in range(crowd)))
    assert {each.status_code for each in found} == {422}
    assert resident(status, "VmHWM") - before < size * crowd / 3
    await walk.close()


def begun_anew(pid: int) -> Path:
    """The status of a process whose high water mark of memory begins anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return Path(f"/proc/{pid}/status")


def resident(status: Path, name: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(name))


async def test_a_filing_that_is_refused_at_its_last_paper_leaves_none(house: Stack) -> None:
    walk, person, page = await office(house)
    before = stored(house)
    *rest, (name, (file, _, kind)) = documents(KIND)
    assert rest
    answer = await raw(person, page, answers(KIND, PLAN), [*rest, (name, (file, b"no paper", kind))])
    assert answer.status_code == 415
    assert stored(house) == before
    await walk.close()


async def test_five_clicks_leave_one_set_of_papers_and_it_can_be_read(house: Stack) -> None:
    walk, person, page = await office(house)
    before = stored(house)
    clicks = await asyncio.gather(*(raw(person, page, answers(KIND, PLAN), documents(KIND)) for _ in range(5)))
    (where,) = {answer.headers["location"].partition("?")[0] for answer in clicks}
    assert len(stored(house) - before) == len(documents(KIND))
    citizen = await walk.citizen(APPLICANT)
    for document in stored(house) - before:
        assert (await citizen.get(f"{where}/documents/{document}", accept="*/*")).content == paper()
    await citizen.__aexit__(None, None, None)
    await walk.close()


async def test_killed_between_store_and_append_a_filing_leaves_nothing_after_a_sweep_and_no_filed_paper_goes(
    house: Stack,
) -> None:
    walk, person, page = await office(house)
    before, filed = stored(house), await submissions(house)
    owner = await asyncpg.connect(**house.settings_of("intake").as_owner("caselog"))
    await owner.execute("SELECT pg_advisory_lock(1347571286, shard) FROM generate_series(0, 63) AS shard")
    sent = asyncio.create_task(raw(person, page, answers(KIND, PLAN), documents(KIND)))

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'intake' AND wait_event_type = 'Lock'"

    async def waits_for_the_log() -> bool:
        return len(stored(house) - before) == len(documents(KIND)) and bool(await owner.fetchval(waiting))

    async def given_up() -> bool:  # connections of intake's agenda may stay: they wait for nothing
        return not await owner.fetchval(waiting)

    await eventually(waits_for_the_log, 60)
    house.kill("intake")
    with pytest.raises(httpx2.TransportError):
        await sent
    await eventually(given_up, 60)  # PostgreSQL notices the death of a waiting client only when its wait is over
    await owner.close()
    assert await submissions(house) == filed
    assert len(stored(house) - before) == len(documents(KIND))
    await sweep(house, timedelta(days=1))
    assert len(stored(house) - before) == len(documents(KIND))
    await sweep(house, timedelta())
    assert stored(house) == before
    assert (await person.get("/office")).status_code == 200
    await walk.close()


async def sweep(house: Stack, grace: timedelta) -> None:
    settings = house.settings_of("intake")
    vault = asyncpg.create_pool(**settings.as_service("intake", "vault"), min_size=1, max_size=1)
    log = asyncpg.create_pool(**settings.as_reader("intake"), min_size=1, max_size=1)
    async with vault, log:
        document_store = DocumentStore(f"file://{house.var}/documents", Vault(vault, VaultKeys(settings.keys)))
        await Sweeper(document_store, LogReader(log)).sweep(grace)

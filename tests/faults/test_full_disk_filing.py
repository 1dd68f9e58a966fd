"""A filing while a disk is full, at the real door: a clear sentence, nothing half-filed, and the same form files once when there
is room again.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from deploy.demo.filled import answers
from deploy.demo.person import forms
from deploy.demo.plan import Applicant, Plan
from deploy.demo.week import national_code
from deploy.local.postgres import OWNER, Postgres
from schemas.catalogue import catalogue
from schemas.envelope import RecordedFact
from schemas.facts import decode
from schemas.facts.intake import CaseSubmitted
from tests.conftest import fresh_databases
from tests.databases import Databases
from tests.faults.disk import Disk, open_directory, small_disk
from tests.faults.doors import doors, prepare
from tests.faults.effects import facts_of

KIND = catalogue().types["site_visit"]
PLAN = Plan("site_visit", 1, "office1", Applicant(national_code(345_123_679), "جاینگهدار نمونه", "09131112244"))
PAPER = b"%PDF-1.7\n" + os.urandom(300_000) + b"\n%%EOF\n"
"""Larger than what stays in memory on its way in."""
SAID = {
    "store": ("جایی برای نگه‌داشتن این نیست", "There is no room to keep this"),
    "spool": ("جایی برای نگه‌داشتن این نیست", "There is no room to keep this"),
    "caselog": ("این بار هیچ کاری انجام نشد", "this attempt did nothing"),
    # Any other database may be asked before the append or after it: only what is true of both is said.
    "vault": ("فرستادن دوباره بی‌خطر است", "sending it again is safe"),
}


@dataclass
class Office:
    """An office at the door, and the log."""

    client: httpx2.AsyncClient
    databases: Databases

    async def form(self) -> dict[str, str]:
        """A new form, with the key that it is sent under."""
        page = await self.client.get("/new/site_visit")
        return next(form for form in forms(page.text) if form.action.endswith("/new/site_visit")).hidden

    async def file(self, form: dict[str, str], language: str = "fa") -> httpx2.Response:
        """Send the form, with a paper for each that is required."""
        papers = [(f"document_{each.key}", ("paper.pdf", PAPER, "application/pdf")) for each in KIND.documents if each.required]
        headers = {"Accept-Language": language}
        return await self.client.post("/new/site_visit", data={**form, **answers(KIND, PLAN)}, files=papers, headers=headers)

    async def is_refused(self, form: dict[str, str], where: str) -> None:
        """Both languages say it in a sentence, and that it may be sent again."""
        for language, sentence in zip(("fa", "en"), SAID[where], strict=True):
            answer = await self.file(form, language)
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert sentence in answer.text
            assert 'role="alert"' in answer.text

    async def files_once(self, form: dict[str, str]) -> str:
        """Sent twice more, it is one case; its id."""
        one, two = await self.file(form), await self.file(form)
        assert (one.status_code, two.status_code) == (303, 303)
        case = [re.fullmatch(r"/cases/(\w+)\?filed=\w+", each.headers["location"]) for each in (one, two)]
        assert case[0]
        assert case[1]
        assert case[0].group(1) == case[1].group(1)
        return case[0].group(1)

    async def filed(self) -> list[RecordedFact]:
        """Every fact of every case that was filed."""
        async with self.databases.reader() as log:
            return [fact for fact in await facts_of(log) if fact.stream.startswith("case:")]


@asynccontextmanager
async def at_the_door(
    databases: Databases, directory: Path, *, storage: Path, environment: dict[str, str] | None = None
) -> AsyncIterator[Office]:
    """The intake door with an office that has signed in."""
    await prepare(databases, directory, "intake")
    url = f"file://{storage}"
    async with (
        doors(databases, directory, "intake", environment=environment, storage=url) as running,
        httpx2.AsyncClient(base_url=running["intake"].url, headers={"Accept": "text/html"}, timeout=60) as client,
    ):
        page = await client.get("/sign-in")
        hidden = next(form for form in forms(page.text) if form.action == "/sign-in").hidden
        signed = await client.post("/sign-in", data={**hidden, "username": "office1", "password": "office1-demo"})
        assert signed.status_code == 303
        yield Office(client, databases)


def papers_of(facts: list[RecordedFact]) -> set[str]:
    submitted = [decode(fact.type, fact.type_version, fact.body) for fact in facts]
    return {ref.document_id for fact in submitted if isinstance(fact, CaseSubmitted) for ref in fact.documents}


@pytest.mark.parametrize("where", ["store", "spool"])
async def test_a_filing_whose_papers_find_no_room_is_refused_in_words_and_is_filed_once_when_there_is_room(
    databases: Databases, tmp_path: Path, where: str
) -> None:
    with small_disk(tmp_path / "small", 8) as disk:
        here, elsewhere = disk.path / "small", tmp_path / "large"
        for directory in (here, elsewhere):
            directory.mkdir()
        storage, spool = (here, elsewhere) if where == "store" else (elsewhere, here)
        async with at_the_door(databases, tmp_path, storage=storage, environment={"TMPDIR": str(spool)}) as office:
            before = await office.files_once(await office.form())
            form = await office.form()
            disk.fill()
            await office.is_refused(form, where)
            facts = await office.filed()
            assert [fact.stream for fact in facts] == [f"case:{before}"]
            assert {path.name for path in storage.iterdir()} == papers_of(facts)  # no other paper, no half of one
            disk.make_room()
            case = await office.files_once(form)
            facts = await office.filed()
            assert Counter(fact.type for fact in facts) == {"case.submitted": 2}
            assert {fact.stream for fact in facts} == {f"case:{before}", f"case:{case}"}
            assert {path.name for path in storage.iterdir()} == papers_of(facts)
            assert all(path.stat().st_size > len(PAPER) for path in storage.iterdir())
            assert list(spool.iterdir()) == ([] if where == "spool" else list(elsewhere.iterdir()))


@pytest.fixture
def tables(postgres: Postgres) -> Iterator[Disk]:
    """A small disk on which PostgreSQL's own user may keep tables."""
    with open_directory() as directory, small_disk(directory / "rows", 48) as disk:
        place = disk.path / "tables"
        place.mkdir()
        os.chown(place, *postgres.account.owner)
        yield disk


@asynccontextmanager
async def on(disk: Disk, postgres: Postgres, passwords: dict[str, str], *names: str) -> AsyncIterator[Databases]:
    """Databases of which those named have all their tables and indexes on `disk`."""
    async with fresh_databases(postgres, passwords) as databases:
        owner = await databases.connect("postgres", OWNER)
        await owner.execute(f"CREATE TABLESPACE small LOCATION '{disk.path / 'tables'}'")
        for name in names:
            connection = await databases.connect(name, OWNER)
            for what in ("TABLE", "INDEX"):
                await connection.execute(f"ALTER {what} ALL IN TABLESPACE pg_default SET TABLESPACE small")
            await connection.close()
        yield databases
    for name in names:  # what the information schema has went along
        connection = await databases.connect(name, OWNER)
        for what in ("TABLE", "INDEX"):
            await connection.execute(f"ALTER {what} ALL IN TABLESPACE small SET TABLESPACE pg_default")
        await connection.close()
    await owner.execute("CHECKPOINT")  # the files of what was dropped go only now
    await owner.execute("DROP TABLESPACE small")
    await owner.close()


@pytest.mark.parametrize("name", ["caselog", "vault"])
async def test_a_filing_whose_rows_find_no_room_is_refused_in_words_and_is_filed_once_when_there_is_room(
    tables: Disk, postgres: Postgres, passwords: dict[str, str], tmp_path: Path, name: str
) -> None:
    storage = tmp_path / "documents"
    async with (
        on(tables, postgres, passwords, name) as databases,
        at_the_door(databases, tmp_path, storage=storage) as office,
    ):
        tables.fill()
        accepted = 0
        for _ in range(60):  # pages that were begun have room for some
            form = await office.form()
            answer = await office.file(form)
            if answer.status_code != 303:
                break
            accepted += 1
        assert answer.status_code == 503, answer.text
        print(f"{accepted} filings found room in pages that were begun; then {answer.status_code}")
        await office.is_refused(form, name)
        assert len(await office.filed()) == accepted, "what was refused has no effect, what was accepted is there"
        tables.make_room()
        await office.files_once(form)
        facts = await office.filed()
        assert [fact.type for fact in facts] == ["case.submitted"] * (accepted + 1)
        assert papers_of(facts) <= {path.name for path in storage.iterdir()}

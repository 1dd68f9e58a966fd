"""Checkpoints that are set back make everything be read again, and nothing is doubled, in every row of every service."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import asyncpg
from pydantic import SecretStr

from caselog.outcomes import Appended, AppendRequest, NewFact
from chassis.eventing.processors.inbox import Inbox
from chassis.privacy.key_files import VaultKeys
from chassis.runtime.container import migrate_service
from chassis.settings import Settings
from schemas.envelope.fact import Fact, StreamKind, Writer
from schemas.facts import FACTS
from schemas.facts.intake import CaseSubmitted, CaseWithdrawn, CertificateIssued
from schemas.facts.review import CaseApproved, CaseRejected
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually
from tests.journeys.stack import TABLES, readers_of
from tests.privacy.vaults import key_directory

ENDS: Final = (CaseApproved, CaseRejected, CaseWithdrawn)
SET_BACK: Final = "UPDATE checkpoints SET seq = 0, hash = decode(repeat('00', 32), 'hex')"


def sample(fact: type[Fact]) -> NewFact:
    """The golden sample of a fact."""
    body = (ROOT / "schemas" / "samples" / f"{fact.TYPE}.v{fact.VERSION}.json").read_bytes()
    return NewFact(fact.TYPE, fact.VERSION, body)


async def every_fact(databases: Databases) -> None:
    """A case for each step alone, one for each end after every step, and whatever stands on other streams."""
    steps = [fact for fact in FACTS.values() if fact.KIND is StreamKind.CASE and fact not in (CaseSubmitted, *ENDS)]
    stories: dict[str, list[type[Fact]]] = {f"case:{fact.__name__}": [CaseSubmitted, fact] for fact in steps}
    steps.remove(CertificateIssued)  # the sample's number can be given to one case only
    stories |= {f"case:{end.__name__}": [CaseSubmitted, *steps, end] for end in ENDS}
    for fact in FACTS.values():
        if fact.KIND is not StreamKind.CASE:
            stories.setdefault(f"{fact.KIND.value}:one", []).append(fact)
    async with AsyncExitStack() as stack:
        writers = {each: await stack.enter_async_context(databases.appender(each.value)) for each in Writer}
        for stream, facts in stories.items():
            for fact in facts:
                command = hashlib.sha256(f"{stream} {fact.TYPE}".encode()).digest()
                append = AppendRequest(stream, None, command, bytes(32), "x:y", None, b"{}", [sample(fact)])
                assert isinstance(await writers[fact.WRITER].append(append), Appended), fact.TYPE


async def dump(db: asyncpg.Pool, service: str) -> dict[str, list[tuple[Any, ...]]]:
    tables = (*TABLES[service], "agenda", "parked_streams")
    return {table: sorted(map(tuple, await db.fetch(f"SELECT t::text FROM {table} t"))) for table in tables}


def empty(service: str) -> list[str]:
    """The tables that hold nothing although every fact was read: an auditor owes nothing."""
    return ["agenda", "parked_streams"] if service == "audit" else ["parked_streams"]


async def test_all_facts_read_again_give_the_rows_and_the_agenda_of_one_reading(databases: Databases, tmp_path: Path) -> None:
    await every_fact(databases)
    settings = Settings(
        database_url=f"postgresql://127.0.0.1:{databases.server.port}",
        database_prefix=databases.prefix,
        owner_password=SecretStr(databases.server.owner_password),
    )
    for service in TABLES:
        await migrate_service(settings, service, ROOT / "services" / service)
        async with (
            readers_of(service, VaultKeys(key_directory(tmp_path, service)), databases.where("vault", service)) as readers,
            asyncpg.create_pool(**databases.where(service, service), min_size=1, max_size=4) as db,
            databases.reader(f"{service}_reader") as log,
        ):
            inbox = Inbox(readers, db=db, log=log, bus=False)
            async with inbox.running():
                await read_all(inbox)
                once = await dump(db, service)
                assert [table for table, rows in once.items() if not rows] == empty(service)  # an empty one shows nothing
                await db.execute(SET_BACK)
                await read_all(inbox)
                assert await dump(db, service) == once, service


async def read_all(inbox: Inbox) -> None:
    for name in inbox.stores:
        await eventually(lambda name=name: inbox.caught_up(name))  # type: ignore[misc]

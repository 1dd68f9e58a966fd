"""A row is a fold of one stream: one fact at a time or all at once, read for the first time or again, the rows are the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from pydantic import SecretStr

from caselog.read import LogReader
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.processors.store import ProcessorStore
from chassis.eventing.projections.projection import Row
from chassis.privacy.key_files import VaultKeys
from chassis.runtime.container import migrate_service
from chassis.settings import Settings
from services.audit import project as audit
from services.inquiry import project as inquiry
from services.intake import project as intake
from services.notify import project as notify
from services.review import project as review
from tests.conftest import ROOT
from tests.databases import Databases
from tests.faults.test_reread import SET_BACK, dump, empty, every_fact
from tests.journeys.stack import TABLES, readers_of
from tests.privacy.vaults import key_directory

ROWS: Final[dict[str, tuple[type[Row], ...]]] = {
    "intake": (intake.Case, intake.Notice),
    "review": (review.Case, review.Reviewer, review.Escalation),
    "inquiry": (inquiry.Inquiry, inquiry.Case, inquiry.Agency),
    "notify": (notify.Message,),
    "audit": (audit.Case,),
}


async def prepared(databases: Databases, service: str) -> None:
    settings = Settings(
        database_url=f"postgresql://127.0.0.1:{databases.server.port}",
        database_prefix=databases.prefix,
        owner_password=SecretStr(databases.server.owner_password),
    )
    await migrate_service(settings, service, ROOT / "services" / service)


async def read(readers: Sequence[EventProcessor], db: asyncpg.Pool, log: LogReader, longest: int, chance: random.Random) -> None:
    """Apply the whole log in runs of 1 to `longest` facts."""
    for reader in readers:
        store = ProcessorStore(reader, db)
        await store.begin()
        for shard in range(64):
            facts = await log.shard(shard, 0, 10_000)
            while facts:
                length = chance.randint(1, longest)
                assert (await store.apply_together({shard: facts[:length]}))[shard].applied == len(facts[:length])
                facts = facts[length:]


@pytest.mark.parametrize("service", list(TABLES))
async def test_the_rows_are_the_same_however_the_facts_are_cut_into_runs(
    databases: Databases, tmp_path: Path, service: str
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    await every_fact(databases)
    await prepared(databases, service)
    async with (
        readers_of(service, VaultKeys(key_directory(tmp_path, service)), databases.where("vault", service)) as readers,
        asyncpg.create_pool(**databases.where(service, service), min_size=1, max_size=2) as db,
        asyncpg.create_pool(**databases.where(service, "owner"), min_size=1, max_size=1) as owner,
        databases.reader() as log,
    ):
        await read(readers, db, log, 1, chance)
        one_by_one = await dump(db, service)
        assert [table for table, rows in one_by_one.items() if not rows] == empty(service)
        for longest in (3, 10_000):
            await owner.execute(f"TRUNCATE {', '.join(TABLES[service])}, agenda")
            await owner.execute(SET_BACK)
            await read(readers, db, log, longest, chance)
            assert await dump(db, service) == one_by_one, f"runs of up to {longest}"
        await owner.execute(SET_BACK)
        await read(readers, db, log, 5, chance)
        assert await dump(db, service) == one_by_one, "read again"


@pytest.mark.parametrize("service", list(ROWS))
async def test_a_row_has_a_field_for_each_column_of_its_table(databases: Databases, service: str) -> None:
    await prepared(databases, service)
    owner = await databases.connect(service, "owner")
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"
    keys = "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
    for row in ROWS[service]:
        found = {each["column_name"] for each in await owner.fetch(columns, row.TABLE)}
        assert found == {field.name for field in fields(row)}, row.TABLE  # type: ignore[arg-type]  # each is a dataclass
        primary = await owner.fetch(f"{keys} WHERE indisprimary AND indrelid = $1::text::regclass", row.TABLE)
        assert {each["attname"] for each in primary} == set(row.KEY), row.TABLE
    await owner.close()

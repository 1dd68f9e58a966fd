"""A paper that no fact names is taken away, one that a fact names never is: the log alone is asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from caselog.outcomes import Appended, AppendRequest, EventPosition, NewFact
from caselog.read import LogReader
from chassis.eventing.commands.handler import CommandResult
from chassis.privacy.documents.staging import GRACE, Staging, Sweeper, staging
from chassis.privacy.documents.store import DocumentStore
from chassis.refusal import Busy
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.sealing import DataClass
from schemas.facts import encode
from schemas.facts.intake import DocumentReleased
from tests.conftest import ROOT
from tests.databases import Databases
from tests.privacy.test_blobs import pdf, pieces
from tests.privacy.vaults import vault_of

NOW = timedelta()


@dataclass
class Here:
    databases: Databases
    document_store: DocumentStore
    log: LogReader
    store: Path

    async def put(self, staged: Staging) -> DocumentRef:
        return await staged.put(
            pieces(pdf()), person="p", data_class=DataClass.IDENTITY, kind="plans", audience=Audience.REVIEWER, limit=1_000_000
        )

    async def append(self, ref: DocumentRef, *, version: int = 1) -> CommandResult:
        """A fact that names the paper; `version` of the fact may be one that this code does not know."""
        async with self.databases.appender() as appender:
            fact = NewFact(DocumentReleased.TYPE, version, encode(DocumentReleased(document_id="filed", copy_of=ref)))
            outcome = await appender.append(AppendRequest("case:c", None, os.urandom(32), bytes(32), "x:y", None, b"{}", [fact]))
        assert isinstance(outcome, Appended)
        return done(repeated=False, events=outcome.events)

    @property
    def papers(self) -> set[str]:
        return {path.name for path in self.store.iterdir()}


def done(*, repeated: bool, events: tuple[EventPosition, ...] = ()) -> CommandResult:
    return CommandResult("case:c", events, datetime.now(UTC), "log", 1, repeated)


@pytest.fixture
async def here(databases: Databases, tmp_path: Path) -> AsyncIterator[Here]:
    async with harness(databases, tmp_path) as found:
        yield found


@asynccontextmanager
async def harness(databases: Databases, root: Path) -> AsyncIterator[Here]:
    pool = asyncpg.create_pool(**databases.where("caselog", "intake_reader"), min_size=1, max_size=1)
    async with vault_of(databases, root, "intake") as vault, pool:
        yield Here(databases, DocumentStore(f"file://{root}/store", vault), LogReader(pool), root / "store")


async def test_an_appended_paper_stays_and_a_refused_one_goes(here: Here) -> None:
    async with staging(here.document_store, here.log, "c") as staged:
        kept = await here.put(staged)
        staged.appended(await here.append(kept))
    assert here.papers == {kept.document_id}

    async def refused() -> None:
        async with staging(here.document_store, here.log, "c") as staged:
            await here.put(staged)
            raise Busy

    with pytest.raises(Busy):
        await refused()
    assert here.papers == {kept.document_id}


async def test_of_two_tries_the_papers_of_the_one_in_the_log_stay(here: Here) -> None:
    async with staging(here.document_store, here.log, "c") as first:
        kept = await here.put(first)
        await here.append(kept)
        first.appended(done(repeated=True))  # the reply to its own append was lost: the repetition found its own fact
    async with staging(here.document_store, here.log, "c") as second:
        await here.put(second)
        second.appended(done(repeated=True))  # a double click
    assert here.papers == {kept.document_id}


async def test_what_became_of_a_broken_append_is_left_to_the_sweeper_which_asks_the_log(here: Here) -> None:
    refs: list[DocumentRef] = []

    async def broken() -> None:
        async with staging(here.document_store, here.log, "c") as staged:
            refs.extend([await here.put(staged), await here.put(staged)])
            await here.append(refs[0])
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await broken()
    named, unnamed = refs
    assert here.papers == {named.document_id, unnamed.document_id}
    assert await Sweeper(here.document_store, here.log).sweep(GRACE) == 0  # too young: a fact may still be on its way
    assert await Sweeper(here.document_store, here.log).sweep(NOW) == 1
    assert here.papers == {named.document_id}


async def test_a_fact_that_this_code_does_not_know_names_a_paper_too(here: Here) -> None:
    async with staging(here.document_store, here.log, "c") as staged:
        ref = await here.put(staged)
        staged.appended(await here.append(ref, version=99))
    assert await Sweeper(here.document_store, here.log).sweep(NOW) == 0
    assert here.papers == {ref.document_id}


async def test_a_paper_whose_id_names_no_case_is_left_alone(here: Here) -> None:
    (here.store / "0123456789abcdef").write_bytes(b"of an earlier version")
    assert await Sweeper(here.document_store, here.log).sweep(NOW) == 0
    assert here.papers == {"0123456789abcdef"}


async def test_a_later_sweep_looks_only_at_what_became_old_since(here: Here) -> None:
    sweeper = Sweeper(here.document_store, here.log)
    await sweeper.sweep(NOW)
    old = here.store / "c.0123456789abcdef"
    old.write_bytes(b"looked at before")
    long_ago = datetime.now(UTC).timestamp() - 7200
    os.utime(old, (long_ago, long_ago))
    assert await sweeper.sweep(NOW) == 0
    assert await Sweeper(here.document_store, here.log).sweep(NOW) == 1  # another process begins at the beginning


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.privacy.test_staging import Audience, DataClass, harness, staging
from tests.databases import Databases
import json
async def main():
    class Server: port, owner_password = int(sys.argv[2]), ""
    async with harness(Databases(Server(), json.loads(sys.argv[3]), sys.argv[4]), Path(sys.argv[1])) as here:
        async with staging(here.document_store, here.log, "c") as staged:
            if sys.argv[5] == "between":
                await here.put(staged)
                os.kill(os.getpid(), signal.SIGKILL)
            async def forever():
                yield b"%PDF-" + bytes(12_000_000)
                while not list(Path(sys.argv[1], "store").glob("*#*")):
                    await asyncio.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
            await staged.put(forever(), person="p", data_class=DataClass.IDENTITY, kind="plans",
                             audience=Audience.REVIEWER, limit=99_000_000)
asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["between", "while it writes"])
async def test_a_kill_between_store_and_append_leaves_nothing_after_a_sweep(here: Here, tmp_path: Path, when: str) -> None:
    server, passwords = here.databases.server, json.dumps(here.databases.passwords)
    arguments = [str(tmp_path), str(server.port), passwords, here.databases.prefix, when]
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, *arguments, cwd=ROOT)
    assert await asyncio.wait_for(child.wait(), 60) == -signal.SIGKILL
    assert len(here.papers) == 1
    assert await Sweeper(here.document_store, here.log).sweep(GRACE) == 0
    assert await Sweeper(here.document_store, here.log).sweep(NOW) == 1
    assert here.papers == set()

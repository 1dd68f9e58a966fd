"""Clocks an hour off, both ways: of the database's host while it runs, and of our own processes.

What cannot be done here: to turn the machine's clock itself, or that of the JVM's broker, whose times nobody of ours reads.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from caselog.chain import compute_link
from caselog.outcomes import Appended
from deploy.demo.filled import answers, documents
from deploy.demo.person import forms
from deploy.local import postgres as server_module
from deploy.local.postgres import OWNER, Postgres
from deploy.local.subprocesses import start
from schemas.clocks import fold
from schemas.envelope import RecordedFact
from schemas.facts import decode
from tests.caselog.commands import a_command
from tests.conftest import ROOT
from tests.databases import Databases
from tests.faults.checker import Evidence, check
from tests.faults.clocks import Clock, wrong_clock
from tests.faults.doors import doors, prepare
from tests.faults.effects import facts_of
from tests.faults.recorder import Recorder
from tests.faults.test_doors import KIND, PLAN

HOUR = timedelta(hours=1)
LATER = """
INSERT INTO log.facts (shard, seq, stream, version, type, type_version, epoch, recorded_at, actor, cause, command, ordinal,
                       request, meta, body, prev, link)
SELECT f.shard, f.seq + 1, f.stream, f.version + 1, f.type, f.type_version, f.epoch, t.at, f.actor, f.cause, sha256(f.command), 0,
       f.request, f.meta, f.body, f.link,
       log.link_of(i.log_id, f.epoch, f.shard, f.seq + 1, f.version + 1, f.type_version, t.at, 0::smallint, sha256(f.command),
                   f.request, f.meta, f.body, f.link, f.stream, f.type, f.actor, f.cause)
FROM log.facts f, log.identity i, (SELECT clock_timestamp() + interval '1 hour' AS at) t
WHERE f.stream = $1 ORDER BY f.version DESC LIMIT 1 RETURNING recorded_at
"""
"""A sound fact that was written when the clock was an hour fast."""


def forwards(facts: list[RecordedFact]) -> bool:
    """Whether time never runs backwards within a shard."""
    shards: dict[int, list[datetime]] = {}
    for fact in facts:
        shards.setdefault(fact.shard, []).append(fact.recorded_at)
    return all(times == sorted(times) for times in shards.values())


async def test_after_a_clock_was_turned_back_a_case_goes_on_from_its_last_fact_and_no_clock_runs_backwards(
    databases: Databases,
) -> None:
    owner = await databases.connect("caselog", OWNER)
    async with databases.appender() as appender, databases.reader() as log:
        await appender.append(a_command("case:c", "before"))
        ahead = await owner.fetchval(LATER, "case:c")
        loaded = await log.load("case:c")
        after = await appender.append(a_command("case:c", "after", expected=loaded.version))
        facts = await facts_of(log)
        elsewhere = await appender.append(a_command("case:d", "another shard"))
    await owner.close()
    assert loaded.at == ahead
    assert isinstance(after, Appended)
    assert isinstance(elsewhere, Appended)
    assert after.recorded_at == ahead
    assert elsewhere.recorded_at < ahead
    assert forwards(facts)
    assert [compute_link(fact) for fact in facts] == [fact.link for fact in facts]
    spent = fold((decode(f.type, f.type_version, f.body), f.recorded_at) for f in facts).at(loaded.at)
    assert min(spent.values()) >= timedelta()


@pytest.fixture
def turned(stack_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clock, Path]]:
    """A clock that PostgreSQL's own user can read, and a directory for the server."""
    with tempfile.TemporaryDirectory(prefix="parvandeh-clock-") as public:
        # The test's own folders are closed: the loader would pass over a library there without a word, and no clock be wrong.
        Path(public).chmod(0o755)
        directory = stack_directory / tmp_path_factory.mktemp("clock").name
        directory.mkdir()
        yield wrong_clock(Path(public)), directory


@pytest.fixture
async def shifted(
    turned: tuple[Clock, Path], passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Clock, Databases]]:
    """The databases on a server whose clock can be turned."""
    clock, directory = turned
    monkeypatch.setattr(
        server_module,
        "start",
        lambda *what, environment, **more: start(*what, environment={**environment, **clock.environment}, **more),
    )
    server = Postgres(directory / "postgres")
    server.start()
    databases = Databases(server, passwords, "clock_")
    await databases.make()
    yield clock, databases
    server.stop()


async def test_the_clock_of_the_databases_host_jumps_an_hour_both_ways_under_writers(
    shifted: tuple[Clock, Databases], tmp_path: Path
) -> None:
    clock, databases = shifted
    recorder = Recorder(tmp_path / "history")
    times: list[datetime] = []
    async with databases.appender() as appender, databases.reader() as log:
        for hours in (0, 1, -1, 0, -1, 1):
            clock.turn(hours)
            for n in range(20):
                await recorder.append(appender, a_command(f"case:{n}", f"{len(times)} {n}"))
            loaded = await log.load("case:0")
            assert loaded.at >= loaded.facts[-1].recorded_at
            times.append(loaded.facts[-1].recorded_at)
        facts = await facts_of(log)
    assert times == sorted(times)
    assert times[1] - times[0] > HOUR - timedelta(minutes=1), "the clock was really turned"
    assert forwards(facts)
    assert check(Evidence(recorder.history(), facts)) == []
    print(f"{len(facts)} facts over six turns of the clock, from {times[0]:%H:%M} to {times[-1]:%H:%M}")


async def test_a_door_whose_own_clock_is_an_hour_off_decides_by_the_databases_time(
    databases: Databases, turned: tuple[Clock, Path]
) -> None:
    clock, directory = turned
    await prepare(databases, directory, "intake")
    async with (
        doors(databases, directory, "intake", environment=clock.environment) as running,
        httpx2.AsyncClient(base_url=running["intake"].url, headers={"Accept": "text/html"}, timeout=30) as office,
        databases.reader() as log,
    ):
        page = await office.get("/sign-in")
        hidden = next(form for form in forms(page.text) if form.action == "/sign-in").hidden
        signed_in = await office.post("/sign-in", data={**hidden, "username": "office1", "password": "office1-demo"})
        assert signed_in.status_code == 303
        for hours in (1, -1, 0):
            clock.turn(hours)
            page = await office.get("/new/site_visit")  # the session neither ends nor begins anew by this clock
            hidden = next(form for form in forms(page.text) if form.action.endswith("/new/site_visit")).hidden
            filed = await office.post("/new/site_visit", data={**hidden, **answers(KIND, PLAN)}, files=documents(KIND))
            assert filed.status_code == 303
            assert (await office.get(filed.headers["location"])).status_code == 200
        now = await log.now()
        times = [fact.recorded_at for fact in await facts_of(log) if fact.type == "case.submitted"]
    assert len(times) == 3
    assert all(timedelta() <= now - at < timedelta(minutes=10) for at in times)


ASKED = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
OWN_CLOCK = {"datetime", "date", "time"}
BY_PROTOCOL = {"oidc"}
"""Rooms that compare times of others with their own clock because a protocol says so (OpenID Connect Core, 3.1.3.7)."""


def own_clock_of(source: str) -> list[int]:
    """The lines that ask the process' own host for the time of day."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKED
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in OWN_CLOCK
    ]


def test_no_process_of_ours_asks_its_own_host_for_the_time_of_day() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for layer in ("schemas", "caselog", "chassis", "services")
        for path in sorted((ROOT / layer).rglob("*.py"))
        if not BY_PROTOCOL & {*path.with_suffix("").parts}
        for line in own_clock_of(path.read_text(encoding="utf-8"))
    ]
    assert found == []
    assert own_clock_of("import time\nfrom datetime import datetime\ndatetime.now()\ntime.time()\n") == [3, 4]

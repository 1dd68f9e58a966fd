"""A full disk under the database, its log of changes, the broker and the supervisor: a clear answer, nothing acknowledged is
lost, and all goes on when there is room.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import asyncpg
import pytest

from caselog.append import Appender, LogUnavailable, NotTaken
from caselog.install import install
from caselog.outcomes import Appended, AppendRequest, Repeated
from chassis.eventing.kafka.topic import ensure
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import Batch, EventProcessor
from deploy.kafka.broker import Broker
from deploy.local import roles
from deploy.local.postgres import OWNER, Postgres
from deploy.local.process_supervision import Services
from deploy.local.subprocesses import StackError
from schemas.envelope import shard_of
from schemas.facts import CODEC
from tests.caselog.commands import a_command
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually, facts, inbox_of, prepare, put, rebuilt, relaying, rows
from tests.faults.checker import Evidence, check
from tests.faults.disk import small_disk
from tests.faults.effects import facts_of
from tests.faults.recorder import Recorder
from tests.faults.seeds import seed_of

BODY = 200_000
"""Bytes of a fact that no compression makes smaller: a small disk is full after some."""


@pytest.fixture
def servers(stack_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for servers of a test's own."""
    directory = stack_directory / tmp_path_factory.mktemp("full").name
    directory.mkdir()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def log_of_its_own(
    server: Postgres, passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Databases]:
    """A server with the log's database only: eight of them would fill the disk before the test does."""
    monkeypatch.setattr(roles, "DATABASES", MappingProxyType({"caselog": roles.DATABASES["caselog"]}))
    databases = Databases(server, passwords, "full_")
    owner = await databases.connect("postgres", OWNER)
    await roles.ensure(owner, passwords, prefix="full_")
    await owner.close()
    log = await databases.connect("caselog", OWNER)
    await install(log)
    await log.close()
    yield databases


def moved(server: Postgres, to: Path) -> None:
    """The stopped server's log of changes goes to `to`."""
    shutil.copytree(server.data / "pg_wal", to)
    for path in (to, *to.rglob("*")):
        os.chown(path, *server.account.owner)
    to.chmod(0o700)
    shutil.rmtree(server.data / "pg_wal")
    (server.data / "pg_wal").symlink_to(os.path.relpath(to, server.data))  # the server may not pass the folders above


async def fill_the_log(
    recorder: Recorder, appender: Appender, chance: random.Random
) -> tuple[list[AppendRequest], LogUnavailable]:
    """Append large facts until the log cannot take one; those that it took or may have taken, the last one included."""
    sent: list[AppendRequest] = []
    while len(sent) < 2000:
        command = a_command(f"case:{len(sent) % 9}", f"large {len(sent)}", body=chance.randbytes(BODY))
        sent.append(command)
        try:
            await recorder.append(appender, command, patience=4)
        except LogUnavailable as refused:
            return sent, refused
    raise AssertionError("the disk was never full")


async def insist(recorder: Recorder, appender: Appender, command: AppendRequest) -> None:
    """Send it until it is acknowledged."""

    async def acknowledged() -> bool:
        try:
            return isinstance(await recorder.append(appender, command, patience=4), Appended | Repeated)
        except LogUnavailable:
            return False

    await eventually(acknowledged)


async def test_without_room_for_rows_the_log_says_so_and_goes_on_when_there_is_room(
    servers: Path, passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seed = seed_of("a full disk under the rows")
    recorder = Recorder(tmp_path / "history")
    with small_disk(servers / "small", 120) as disk:
        server = Postgres(disk.path / "postgres")
        server.start()
        server.stop()
        moved(server, servers / "changes")
        server.start()
        try:
            async with (
                log_of_its_own(server, passwords, monkeypatch) as databases,
                databases.appender() as appender,
                databases.reader() as log,
            ):
                disk.fill(leaving=3 << 20)
                sent, refused = await fill_the_log(recorder, appender, random.Random(seed))
                assert isinstance(refused, NotTaken), refused  # it has no effect, and that is what is said
                assert server.running
                heads = sum(head.seq for head in (await log.heads()).values())  # the log is still read
                assert heads == len(sent) - 1
                disk.make_room()
                await insist(recorder, appender, sent[-1])
                found = await facts_of(log)
            print(f"{len(sent)} facts of {BODY} bytes until it was full, {len(found)} in the end")
            assert len(found) == len(sent)
            assert check(Evidence(recorder.history(), found)) == []
        finally:
            server.stop()


async def test_without_room_for_its_log_of_changes_the_server_ends_and_loses_nothing_that_was_acknowledged(
    servers: Path, passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seed = seed_of("a full disk under the log of changes")
    recorder = Recorder(tmp_path / "history")
    server = Postgres(servers / "postgres")
    with small_disk(servers / "small", 80) as disk:
        server.start()
        server.stop()
        moved(server, disk.path / "changes")
        server.start()
        try:
            async with log_of_its_own(server, passwords, monkeypatch) as databases, databases.appender() as appender:
                disk.fill(leaving=20 << 20)
                sent, refused = await fill_the_log(recorder, appender, random.Random(seed))
                assert not isinstance(refused, NotTaken)  # whether it was written nobody knows
                assert b"PANIC" in (server.directory / "postgres.log").read_bytes()
                disk.make_room()
                await asyncio.to_thread(as_the_supervisor_does, server)
                for command in sent[-3:]:
                    await insist(recorder, appender, command)
                async with databases.reader() as log:
                    found = await facts_of(log)
            print(f"{len(sent)} facts of {BODY} bytes until the server ended, {len(found)} in the end")
            assert len(found) == len(sent)
            assert check(Evidence(recorder.history(), found)) == []
        finally:
            server.stop()


def as_the_supervisor_does(server: Postgres) -> None:
    """Start what ended by itself, again and again."""
    for _ in range(20):
        if server.running:
            return
        try:
            server.start(server.port)
        except (StackError, OSError):
            continue
    raise AssertionError("the server did not come back")


async def test_without_room_under_the_broker_the_log_repairs_and_the_relay_goes_on_when_there_is_room(
    databases: Databases, tmp_path: Path
) -> None:
    await prepare(databases)
    with small_disk(tmp_path / "small", 48) as disk:
        node = Broker(disk.path / "kafka", ROOT / "var" / "kafka-jars")
        node.start()
        try:
            await ensure(node.connection)
            async with (
                databases.appender() as appender,
                relaying(databases, node.connection) as relay,
                inbox_of(databases) as (inbox, db),
            ):
                await appender.append(facts("case:before", range(1)))
                await eventually(lambda: _true(relay.state.published >= 1), 60)
                disk.fill(leaving=1 << 20)
                for number in range(1, 40):  # 3 MB: more than there is room for
                    assert isinstance(await appender.append(facts(f"case:{number}", range(number, number + 64))), Appended)
                    await appender.append(large(number))
                await eventually(lambda: _true(not (relay.state.connected and node.running)), 60)
                await eventually(lambda: inbox.caught_up("rows"), 60)
                assert await rows(db) == await rebuilt(databases)
                disk.make_room()
                if not node.running:
                    await asyncio.to_thread(node.start, node.port)
                await appender.append(facts("case:after", range(1)))
                await eventually(lambda: _true(relay.state.connected and relay.state.behind == 0), 90)
                await eventually(lambda: inbox.caught_up("rows"), 60)
                assert await rows(db) == await rebuilt(databases)
                print(f"{relay.state.published} published, broker ended by itself: {not node.running}")
        finally:
            node.stop()


def large(number: int) -> AppendRequest:
    """One fact of 60 kB that no compression makes smaller."""
    reason = random.Random(number).randbytes(30_000).hex()
    return a_command(f"case:{number}", f"large {number}", body=f'{{"reason":"{reason}"}}'.encode())


async def _true(condition: bool) -> bool:
    return condition


def test_a_full_disk_under_the_supervisor_stops_no_process(tmp_path: Path) -> None:
    said: list[str] = []
    with small_disk(tmp_path / "small", 1) as disk:
        services = Services(disk.path, {}, {}, lambda _: {}, said.append)
        disk.fill()
        talker = subprocess.Popen(
            [sys.executable, "-c", "for n in range(5000): print('line', n, 'x' * 100)"], stdout=subprocess.PIPE
        )
        assert talker.stdout is not None
        reading = threading.Thread(target=services._stream, args=("talker", talker.stdout), daemon=True)
        reading.start()
        assert talker.wait(30) == 0, "a process that talks is not held up by lines that nobody can keep"
        reading.join(10)
        assert len(said) == 5000
        disk.make_room()
        services._stream("talker", iter([b"there is room\n"]))  # type: ignore[arg-type]
        assert (disk.path / "logs" / "talker.log").read_bytes().endswith(b"there is room\n")


async def test_a_full_disk_parks_no_stream_and_its_facts_are_applied_when_there_is_room(databases: Databases) -> None:
    await prepare(databases)
    full = True

    async def apply(connection: asyncpg.Connection, run: Batch) -> None:
        if full:
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$")
        await put(connection, run)

    async with (
        databases.appender() as appender,
        databases.reader("review_reader") as log,
        asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=2) as db,
    ):
        inbox = Inbox([EventProcessor("rows", 1, apply, codec=CODEC)], db=db, log=log)
        await inbox.stores["rows"].begin()
        await appender.append(facts("case:full", range(3)))
        waiting = await log.shard(shard_of("case:full"), 0)
        with pytest.raises(asyncpg.DiskFullError):
            await inbox.take(waiting)
        assert await inbox.parked() == []
        full = False
        await inbox.take(waiting)
        assert await rows(db) == await rebuilt(databases)

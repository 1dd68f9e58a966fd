"""A broker that accepts and never answers: appends go on, the log repairs, the relay says so, and all goes on after the thaw."""

from __future__ import annotations

import time
from pathlib import Path

from chassis.eventing.kafka.consumer import STOP_SECONDS, running_bus
from chassis.eventing.kafka.topic import ensure
from chassis.settings import Settings
from deploy.kafka.broker import Broker
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import eventually, fill, inbox_of, prepare, rebuilt, relaying, rows
from tests.faults.freezing import frozen

SLOW_MACHINE = 3.0


async def test_a_frozen_broker_holds_nobody_and_all_goes_on_after_the_thaw(databases: Databases, tmp_path: Path) -> None:
    await prepare(databases)
    node = Broker(tmp_path / "kafka", ROOT / "var" / "kafka-jars")
    node.start()
    try:
        await ensure(node.connection)
        assert node._child is not None
        async with (
            databases.appender() as appender,
            relaying(databases, node.connection) as relay,
            inbox_of(databases) as (inbox, db),
        ):

            async def silent() -> bool:
                return not relay.state.connected

            async def published() -> bool:
                return relay.state.connected and relay.state.behind == 0

            async with running_bus(Settings(kafka=node.bootstrap), "frozen", inbox):
                await fill(appender, 100)
                await eventually(published)
                await eventually(lambda: inbox.caught_up("rows"))
                with frozen(node._child.pid):
                    await fill(appender, 100, tag="frozen")
                    await eventually(lambda: inbox.caught_up("rows"), 60)  # the log repairs
                    await eventually(silent, 60)
                    began = time.monotonic()
                await eventually(published, 90)
                print(f"the bus flows {time.monotonic() - began:.1f} s after the thaw")
                await fill(appender, 20, tag="thawed")
                await eventually(lambda: inbox.caught_up("rows"), 60)
                assert await rows(db) == await rebuilt(databases)
                freeze = frozen(node._child.pid)
                freeze.__enter__()
                began = time.monotonic()
            took = time.monotonic() - began
            freeze.__exit__(None, None, None)
            assert took < STOP_SECONDS + SLOW_MACHINE, "a silent broker does not hold the end of a process"
    finally:
        node.stop()

"""A broker that a test may kill and wipe."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chassis.eventing.kafka.topic import ensure
from deploy.kafka.broker import Broker
from tests.conftest import ROOT


@pytest.fixture
async def own_broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    node = Broker(tmp_path_factory.mktemp("kafka"), ROOT / "var" / "kafka-jars")
    node.start()
    await ensure(node.connection)
    yield node
    node.stop()

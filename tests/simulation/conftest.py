from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.services.scenario import MONDAY
from tests.simulation.life import City
from tests.simulation.world import World


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """What the services log in thousands of histories is read by nobody."""
    before = structlog.get_config()
    structlog.configure(processors=[lambda *_: ""], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.configure(**before)


@pytest.fixture
def world() -> Iterator[World]:
    """A city on a Monday."""
    city = City()
    yield World(MONDAY, city)
    city.close()

"""One house at a time, since its doors have fixed ports; another mode stops the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.processes import first_port
from tests.journeys.stack import Stack


def oidc() -> dict[str, str]:
    """An issuer that is away: its button stands beside the local accounts, and every door opens all the same."""
    return {
        "PARVANDEH_OIDC_ISSUER": f"http://127.0.0.1:{first_port() + 99}",
        "PARVANDEH_OIDC_CLIENT_ID": "parvandeh",
        "PARVANDEH_OIDC_ROLES": '{"reviewers": {"role": "reviewer"}}',
        "PARVANDEH_OIDC_NATIONAL_CODE_CLAIM": "national_code",
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who asks for a house of another mode comes after all that share the usual one: it would be started again for the rest."""
    places = [place for place, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    journeys = sorted((items[place] for place in places), key=_wants_another)
    for place, item in zip(places, journeys, strict=True):
        items[place] = item


def _wants_another(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return "houses" in names and "house" not in names


@pytest.fixture(scope="package")
def houses() -> Iterator[Callable[..., Stack]]:
    running: list[Stack] = []

    def house(**settings: str) -> Stack:
        if running and running[0].settings == settings:
            return running[0]
        if running:
            running.pop().stop()
        stack = Stack(settings)
        running.append(stack)
        stack.start()
        return stack

    yield house
    for stack in running:
        stack.stop()


@pytest.fixture
def house(houses: Callable[..., Stack]) -> Stack:
    """The house as `make run` starts it, but intake's agenda has a process of its own: what holds in one form holds in both."""
    return houses(**oidc(), PARVANDEH_AGENDA_APART="intake")

"""One house at a time, since its doors have fixed ports; another mode stops the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.journeys.stack import Stack


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
    """The house as `make run` starts it."""
    return houses()

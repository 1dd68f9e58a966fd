"""Package registries of a test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.registry import Registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.held.set()
    made.end()

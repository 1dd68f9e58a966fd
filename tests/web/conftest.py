"""One door at one issuer for all tests of sign-in by OpenID Connect: its databases are made once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local.postgres import Postgres
from tests.conftest import fresh_databases
from tests.web.oidc_ground import House, house_at_issuer


@pytest.fixture(scope="package")
async def shared(postgres: Postgres, passwords: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with (
        fresh_databases(postgres, passwords) as databases,
        house_at_issuer(databases, tmp_path_factory.mktemp("keys")) as house,
    ):
        yield house


@pytest.fixture
async def house(shared: House) -> House:
    """The door as after a start, its issuer honest, nobody signed in."""
    for table in ("web_sessions", "web_oidc_transactions", "web_oidc_citizens", "web_citizens"):
        await shared.own.execute(f"DELETE FROM {table}")
    shared.afresh()
    return shared

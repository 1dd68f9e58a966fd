"""What tests of doors stand on, its databases made once: one door at one issuer, and a city on its first day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.runtime.container import migrate_service
from deploy.local import keys
from deploy.local.postgres import Postgres
from deploy.local.processes import KEYS
from tests.conftest import fresh_databases
from tests.databases import Databases
from tests.web.city import PROCESSES, City
from tests.web.oidc_harness import House, house_at_issuer


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
        await shared.db.execute(f"DELETE FROM {table}")
    shared.afresh()
    return shared


@pytest.fixture(scope="module")
async def migrated(
    postgres: Postgres, passwords: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Databases, Path]]:
    directory = tmp_path_factory.mktemp("city")
    keys.provide(directory, KEYS)
    for service in ("review", "audit"):
        (directory / service / "witnesses.json").write_text("[]")
    async with fresh_databases(postgres, passwords) as databases:
        yield databases, directory


@pytest.fixture
async def city(migrated: tuple[Databases, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> City:
    made = City(*migrated, monkeypatch, capsys)
    for service, process in PROCESSES.items():
        await migrate_service(made.settings_of(service), service, process.package)
    return made

"""A vault as one service has it: its role, and only the key files of the classes it may open."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg

from chassis.privacy.key_files import VaultKeys, make
from chassis.privacy.vault import Vault
from tests.databases import Databases

FILES: Final = {
    "intake": ("service", "alias", "blind", "tracking", "wrap-identity", "wrap-contact", "wrap-property"),
    "review": ("service", "alias", "wrap-property"),
    "inquiry": ("service", "alias", "wrap-property"),
    "notify": ("service", "alias", "wrap-contact"),
    "audit": ("alias", "tracking"),
}


def key_directory(root: Path, service: str) -> Path:
    """The directory of one service, from one set of master keys."""
    master = root / "master"
    make(master, {name for names in FILES.values() for name in names})
    directory = root / service
    directory.mkdir(exist_ok=True)
    for name in FILES[service]:
        shutil.copy(master / f"{name}.key", directory / f"{name}.key")
    return directory


@asynccontextmanager
async def vault_of(databases: Databases, root: Path, service: str) -> AsyncIterator[Vault]:
    async with asyncpg.create_pool(**databases.where("vault", service), min_size=1, max_size=4) as pool:
        yield Vault(pool, VaultKeys(key_directory(root, service)))

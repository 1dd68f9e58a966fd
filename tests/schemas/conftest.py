"""The published files, to be broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas import compatibility, contract_files


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A copy of what was released."""
    for folder in ("json", "samples"):
        shutil.copytree(contract_files.HERE / folder, tmp_path / folder)
    for name in (compatibility.LEDGER, "INDEX.md", "asyncapi.json"):
        shutil.copy(contract_files.HERE / name, tmp_path / name)
    return tmp_path

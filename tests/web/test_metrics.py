"""/metrics: each process exports what it does itself, and says which code it is."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import httpx2
import pytest

from chassis.settings import Settings
from deploy.openapi.documents import DOORS
from schemas.build import UNKNOWN, Build
from tests.conftest import ROOT

BUILD = "parvandeh_build_info"
INBOX = {
    "parvandeh_facts_applied_total",
    "parvandeh_messages_dropped_total",
    "parvandeh_reader_behind",
    "parvandeh_parked_streams",
    "parvandeh_halted_shards",
    "parvandeh_bus_share",
}
SERVICE = {*INBOX, "parvandeh_append_seconds", "parvandeh_http_seconds", BUILD}
AGENDA = {"parvandeh_agenda_outcomes_total", "parvandeh_agenda_items", "parvandeh_agenda_oldest_seconds"}
SERVICES = ("intake", "review", "inquiry", "notify")
EXPORTED = {
    "relay": {"parvandeh_facts_published_total", "parvandeh_relay_behind", BUILD},
    "agenda": {*AGENDA, "parvandeh_append_seconds", BUILD},
    "witness": {BUILD},
    "audit": {*INBOX, "parvandeh_http_seconds", BUILD},
    **dict.fromkeys(SERVICES, SERVICE | AGENDA),
}


async def metrics_of(process: str, settings: Settings | None = None) -> str:
    transport = httpx2.ASGITransport(DOORS[process](settings or Settings()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("process", DOORS)
async def test_a_process_exports_its_own_metrics_and_no_other(process: str) -> None:
    text = await metrics_of(process)
    assert families(text) == EXPORTED[process]
    assert "process_resident_memory_bytes" in text  # the interpreter's own stay


@pytest.mark.parametrize("service", SERVICES)
async def test_whose_agenda_another_process_carries_out_exports_nothing_of_it(service: str) -> None:
    assert families(await metrics_of(service, Settings(agenda_apart=(service,)))) == SERVICE


def families(text: str) -> set[str]:
    found = set(re.findall(r"^# TYPE (parvandeh_\w+) (?:counter|gauge|histogram)$", text, re.MULTILINE))
    return {name for name in found if not name.endswith("_created")}


@pytest.mark.parametrize("process", DOORS)
async def test_every_process_says_its_version_commit_and_python(process: str) -> None:
    commit = git(ROOT, "rev-parse", "HEAD") if (ROOT / ".git").exists() else UNKNOWN
    labels = {"version": Build.of().version, "commit": commit, "python": platform.python_version()}
    (line,) = re.findall(rf"^{BUILD}{{(.*)}} 1.0$", await metrics_of(process), re.MULTILINE)
    assert dict(re.findall(r'(\w+)="([^"]*)"', line)) == labels


def git(directory: Path, *words: str) -> str:
    # No hook and no setting of whoever runs the tests.
    who = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null")
    done = subprocess.run(["git", *who, *words], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_found_loose_packed_detached_and_in_a_worktree(tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (house / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    assert Build.of(house) == Build("1.2.3", UNKNOWN)
    git(house, "init", "-q")
    assert Build.of(house).commit == UNKNOWN  # a branch that has no commit yet
    git(house, "add", ".")
    git(house, "commit", "-q", "-m", "first")
    commit = git(house, "rev-parse", "HEAD")
    assert Build.of(house).commit == commit
    git(house, "worktree", "add", "-q", str(tmp_path / "beside"))
    assert Build.of(tmp_path / "beside").commit == commit
    git(house, "pack-refs", "--all")
    assert Build.of(house).commit == commit
    assert Build.of(tmp_path / "beside").commit == commit
    git(house, "checkout", "-q", "--detach")
    assert Build.of(house).commit == commit

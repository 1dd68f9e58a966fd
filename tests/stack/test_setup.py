"""`make setup` and the first start while the package registry is away or the disk is full.

One sentence of ours, an exit code that is not 0, and a second try that goes on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka import jars
from deploy.local.subprocesses import StackError, free_port, wait_until
from tests.conftest import ROOT
from tests.faults.disk import Disk, small_disk
from tests.stack.registry import LARGE, Registry, Tree


def test_a_registry_that_is_away_is_said_and_the_next_try_goes_on_from_there(registry: Registry, tmp_path: Path) -> None:
    tree = Tree.of(tmp_path / "tree", registry, tmp_path)
    code, said = tree.make("setup")
    assert (code != 0, tree.done) == (True, False)
    assert "the Python packages could not be installed" in said
    assert "is there a network" in said
    registry.only_python = True
    registry.comes_back()
    code, said = tree.make("setup")
    assert (code != 0, tree.done) == (True, False)
    assert "npm could not fetch the pages' files" in said
    assert not (tree.path / "node_modules").exists()
    registry.only_python = False
    assert tree.make("setup") == (0, "")
    assert tree.done
    registry.end()
    assert tree.make("setup") == (0, "")  # nothing is asked of anybody any more


def test_a_full_disk_is_said_at_each_step_and_the_next_try_goes_on_when_there_is_room(registry: Registry, tmp_path: Path) -> None:
    registry.comes_back()
    with small_disk(tmp_path / "small", 128) as disk:
        tree = Tree.of(disk.path / "tree", registry, tmp_path)
        disk.fill(leaving=1 << 16)
        code, said = tree.make("setup")
        assert (code != 0, tree.done) == (True, False)
        assert "the virtual environment could not be made: is there room on the disk" in said
        disk.make_room()
        shutil.rmtree(tree.path / ".venv")
        disk.fill(leaving=room_for_an_environment(tmp_path) + (LARGE >> 1))
        code, said = tree.make("setup")
        assert (code != 0, tree.done) == (True, False)
        assert "the Python packages could not be installed" in said
        assert "room on the disk" in said
        disk.make_room()
        assert tree.make("setup") == (0, "")
        assert tree.done
        shutil.rmtree(tree.path / "node_modules")
        disk.fill()
        code, said = tree.run(".venv/bin/python", "-m", "deploy.local.assets")
        assert (code, tree.done) == (1, False)
        assert "room on the disk" in said
        disk.make_room()
        assert tree.run(".venv/bin/python", "-m", "deploy.local.assets") == (0, "")
        assert tree.done


def room_for_an_environment(directory: Path) -> int:
    """Bytes of an empty virtual environment, in whole pages as a disk gives them."""
    subprocess.run([sys.executable, "-m", "venv", directory / "empty"], check=True)
    return sum(-(-path.lstat().st_size // 4096) * 4096 for path in (directory / "empty").rglob("*"))


def test_jars_that_cannot_be_fetched_are_said_and_the_next_try_fetches_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StackError, match=r"could not be fetched .* is the package registry reachable"):
        jars.provide(tmp_path / "kafka-jars")
    assert not (tmp_path / "kafka-jars").exists()  # only a whole and checked directory has that name
    local_copy(monkeypatch)
    assert len(list(jars.provide(tmp_path / "kafka-jars").iterdir())) == len(jars.locked())


def test_jars_that_find_no_room_are_said_and_the_next_try_fetches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_copy(monkeypatch)
    with small_disk(tmp_path / "small", 128) as disk:
        disk.fill(leaving=20 << 20)
        with pytest.raises(StackError, match=r"the disk under .* is full: make room, then start again"):
            jars.provide(disk.path / "kafka-jars")
        assert not (disk.path / "kafka-jars").exists()
        disk.make_room()
        assert len(list(jars.provide(disk.path / "kafka-jars").iterdir())) == len(jars.locked())


def local_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is there: it has the jars that this machine has."""

    class Context:
        def __init__(self, repo_cache: Path) -> None:
            self._cache = repo_cache

        def project(self, _group: str, artifact: str) -> Context:
            self._artifact = artifact
            return self

        def at_version(self, version: str) -> Context:
            self._name = f"{self._artifact}-{version}.jar"
            return self

        def artifact(self) -> Context:
            return self

        def resolve(self) -> Path:
            self._cache.mkdir(exist_ok=True)
            return Path(shutil.copy(ROOT / "var" / "kafka-jars" / self._name, self._cache))

    monkeypatch.setattr("jgo.maven.MavenContext", Context)


@pytest.fixture
def small_var(stack_directory: Path) -> Iterator[Disk]:
    with small_disk(stack_directory / "small", 700) as disk:
        (disk.path / "kafka-jars").symlink_to(ROOT / "var" / "kafka-jars")
        yield disk


def test_a_first_start_on_a_full_disk_is_said_leaves_no_process_and_the_next_goes_on(small_var: Disk, tmp_path: Path) -> None:
    for leaving in (8 << 20, 80 << 20):  # no cluster can be made; a cluster, and not what stands in it
        small_var.fill(leaving=leaving)
        output = tmp_path / "run.log"
        assert started(small_var.path, output).wait(90) == 1
        text = output.read_text()
        assert text.count("is full: make room, then start again") == 1, text
        assert "Traceback" not in text
        assert left_running(small_var.path) == []
        small_var.make_room()
    process = started(small_var.path, output)
    try:
        goes_on = "our own processes start"  # databases, tables and the broker are there; test_run.py looks at the rest
        wait_until(lambda: goes_on in output.read_text() or process.poll() is not None, 90, "the start")
        assert goes_on in output.read_text()
    finally:
        process.terminate()
        assert process.wait(20) == 0


def started(var: Path, output: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PARVANDEH_VAR": str(var)}
    with output.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )


def left_running(var: Path) -> list[str]:
    listing = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(var) in line]

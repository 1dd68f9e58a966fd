"""The console script has every command line of the product by a name, and the wheel has every file that running needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.console import MODULES, command_of, main
from schemas.build import Build
from tests.conftest import ROOT

PACKAGES = ("caselog", "chassis", "deploy", "schemas", "services")


def test_every_command_line_of_the_product_has_a_name() -> None:
    command_lines = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if 'if __name__ == "__main__":' in path.read_text()
    }
    local = {f"deploy.local.{name}" for name in ("assets", "fork_server", "install", "keys", "migrate")}
    inside = {*local, "deploy.console", "deploy.kafka.class_cache"}  # started by make or by another process: nobody types these
    assert command_lines - inside == set(MODULES.values())


def test_it_gives_the_same_commands_as_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_of("services.review")(["--help"]) == 0
    of_the_module = capsys.readouterr().out
    assert main(["review", "--help"]) == 0
    assert capsys.readouterr().out == of_the_module


def test_it_lists_its_names_says_its_version_and_refuses_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in MODULES)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"parvandeh {Build.of().version} (commit ")
    assert main(["permits"]) == 2
    assert capsys.readouterr().err == "parvandeh: there is no such command (`parvandeh --help` says what there is)\n"


def test_the_wheel_has_every_file_of_the_packages_and_what_the_pages_show(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="this environment has no hatchling: `make tools` did not make it")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("parvandeh-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    here = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here - held == set()
    assert {name.partition("/")[0] for name in held} - {f"parvandeh-{Build.of().version}.dist-info"} == {
        *PACKAGES,
        "node_modules",
    }
    assert "node_modules/vazirmatn/fonts/ttf/Vazirmatn-Regular.ttf" in held

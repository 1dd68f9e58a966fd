"""Our own processes on the embedded stack: started behind their gates, watched, stopped in reverse order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from chassis.exit_codes import OUTDATED, ROWS_DIFFERED
from deploy.kafka.node import class_cache_of
from deploy.local.backoff import BackOff
from deploy.local.fork_server import Order
from deploy.local.forks import Fork, Forks
from deploy.local.processes import DEMONSTRATIONS, Process, running
from deploy.local.subprocesses import POLL_SECONDS, StackError, listening, stop, wait_until

WATCHED: Final = ("relay",)
"""Processes without pages that the status page queries as well."""
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 4.0
MIGRATE: Final = "deploy.local.migrate"
MAKE_KEYS: Final = "deploy.local.keys"
CACHE_CLASSES: Final = "deploy.kafka.class_cache"
"""Commands that belong to no process."""
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Stopped(Exception):
    """The work was cancelled because the stack is stopping."""


class Services:
    """All our processes, in one directory `var`."""

    def __init__(
        self,
        var: Path,
        settings: Mapping[str, str],
        passwords: Mapping[str, str],
        kafka: Callable[[str], Mapping[str, str]],
        say: Callable[[str], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`settings`: the environment that all share; each process gets its own passwords on top, and no other.

        `kafka` answers what the process of a name alone is told of Kafka; `stopping` whether what is being done is still wanted.
        """
        self._var, self._shared, self._passwords, self._kafka, self._say = var, dict(settings), passwords, kafka, say
        self._stopping = stopping
        self.processes = running()
        self._forks: Forks | None = None
        self._children: dict[str, Fork] = {}
        self._back_off: dict[str, BackOff] = {}
        self._again_at: dict[str, float] = {}

    def environment(self, process: Process) -> dict[str, str]:
        """The environment of one process."""
        own = {
            "PARVANDEH_PORT": str(process.port),
            "PARVANDEH_READER_PASSWORD": self._passwords[process.reader],
            "PARVANDEH_KEYS": str(self._var / "keys" / process.name.removesuffix("-agenda")),
            "PARVANDEH_STORAGE": f"file://{self._var / 'documents'}",
            "PARVANDEH_OUTBOX": str(self._var / "outbox"),
            "PARVANDEH_DOORS": ",".join(f"{p.name}=http://127.0.0.1:{p.port}" for p in self.processes if _is_door(p)),
        }
        if process.role is not None:
            own["PARVANDEH_PASSWORD"] = self._passwords[process.role]
        return {**self._shared, **own, **self._kafka(process.name)}

    def begin(self) -> None:
        """Let the fork server import what our processes need while other things start."""
        assert self.forks

    def prepare(self) -> None:
        """Keys, the witness' public line, and once the demonstration data."""
        if self._result(self._command(MAKE_KEYS, str(self._var / "keys"))) != 0:
            raise StackError("the keys could not be made; the lines above say why")
        witness = next(process for process in self.processes if process.name == "witness")
        line = self._run([witness], "key")
        for service in ("review", "audit"):
            (self._var / "keys" / service / "witnesses.json").write_bytes(line)
        done = self._var / "demonstration.done"
        if not done.exists():
            self._run([process for process in self.processes if process.name in DEMONSTRATIONS], "demonstration")
            done.touch()

    def _run(self, processes: Sequence[Process], command: str) -> bytes:
        """Run a short command of each, all at once, and return what they print. Raises StackError, Stopped."""
        with ExitStack() as files:
            running = []
            for process in processes:
                printed = files.enter_context(tempfile.TemporaryFile())
                running.append((process, printed, self._order(process, (command,), output=printed.fileno())))
            for process, _, fork in running:
                if self._result(fork) != 0:
                    raise StackError(f"{process.module} {command} failed; the lines above say why")
            return b"".join(_all_of(printed) for _, printed, _ in running)

    def _result(self, fork: Fork) -> int:
        """The exit code of a short command. Raises Stopped when cancelled; the command dies with the fork server."""
        while (code := fork.poll()) is None:
            if self._stopping():
                raise Stopped
            with suppress(subprocess.TimeoutExpired):
                fork.wait(POLL_SECONDS)
        return code

    def migrate(self, owner_password: str) -> None:
        """Migrate every database. Raises StackError, Stopped."""
        if self._result(self._command(MIGRATE, PARVANDEH_OWNER_PASSWORD=owner_password)) != 0:
            raise StackError("the databases could not be migrated; the lines above say why")

    def cache_classes(self, jars: Path) -> None:
        """Create, in the background, the class cache that makes Kafka's next start faster, if it is missing."""
        if not class_cache_of(jars).exists():
            self._command(CACHE_CLASSES, str(jars))

    def _command(self, module: str, *arguments: str, **more: str) -> Fork:
        """`python -m MODULE ARGUMENTS`, with the settings of all processes and `more`."""
        order = Order(module.rpartition(".")[2], module, list(arguments), self._shared | more)
        return self.forks.spawn(order, output=1, errors=2)

    def start(self, owner_password: str) -> None:
        """Start all, then wait until each says that it is ready. Raises StackError.

        `owner_password`: rows left by another version of a service are rebuilt with it, which no service itself may do.
        """
        cancelled = self._stopping
        for process in self.processes:
            if listening(process.port):
                raise StackError(
                    f"port {process.port}, which {process.name} needs, is in use by another program: stop it and start again"
                )
        for process in self.processes:
            if not cancelled():
                self._spawn(process)
        for process in self.processes:
            self._await(process, cancelled)
            if not cancelled() and self._is_outdated(process):  # in this order: nothing is spawned once a stop was requested
                self._rebuild(process, owner_password)
                self._spawn(process)
                self._await(process, cancelled)

    def _await(self, process: Process, cancelled: Callable[[], bool]) -> None:
        wait_until(
            lambda: cancelled() or self._is_outdated(process) or self._ready(process),
            READY_SECONDS,
            f"{process.name}'s readiness",
        )

    def _is_outdated(self, process: Process) -> bool:
        return self._children[process.name].poll() == OUTDATED

    def _rebuild(self, process: Process, owner_password: str) -> None:
        self._say(f"{process.name} is newer than its rows: rebuilding them from the log")
        fork = self._order(process, ("rebuild",), output=1, more={"PARVANDEH_OWNER_PASSWORD": owner_password})
        if self._result(fork) not in (0, ROWS_DIFFERED):
            raise StackError(f"the rows of {process.name} could not be rebuilt; the lines above say why")

    def _ready(self, process: Process) -> bool:
        child = self._children[process.name]
        if child.poll() is not None:
            raise StackError(f"{process.name} ended at once; its lines above say why")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def _spawn(self, process: Process) -> None:
        reading, writing = os.pipe()
        self._children[process.name] = self._order(process, process.arguments, output=writing, errors=writing)
        os.close(writing)
        now = time.monotonic()
        self._back_off.setdefault(process.name, BackOff(now)).began = now
        output = os.fdopen(reading, "rb")
        threading.Thread(target=self._stream, args=(process.name, output), daemon=True).start()

    def _order(
        self, process: Process, arguments: Sequence[str], *, output: int, errors: int = 2, more: Mapping[str, str] = NOTHING
    ) -> Fork:
        order = Order(process.name, process.module, list(arguments), {**self.environment(process), **more})
        return self.forks.spawn(order, output=output, errors=errors)

    @property
    def forks(self) -> Forks:
        """The fork server; a new one when the last was killed."""
        if self._forks is None or not self._forks.alive:
            self._forks = Forks({name: self._shared[name] for name in ("PATH", "LANG") if name in self._shared})
        return self._forks

    def _stream(self, name: str, output: IO[bytes]) -> None:
        """Keep and show what a process prints. A full disk costs lines, never the reading: a full pipe would block it."""
        path = self._var / "logs" / f"{name}.log"
        for line in output:
            with suppress(OSError):
                path.parent.mkdir(exist_ok=True)
                with path.open("ab", buffering=0) as kept:
                    kept.write(line)
            self._say(f"{name:<15} {readable(line)}")

    def watch(self) -> None:
        """Restart, with back-off, what ended unexpectedly."""
        for process in self.processes:
            child = self._children.get(process.name)
            if child is None or child.poll() is None:
                continue
            now = time.monotonic()
            if process.name not in self._again_at:
                wait = self._back_off[process.name].ended(now)
                self._again_at[process.name] = now + wait
                self._say(f"{process.name} ended unexpectedly; restarting in {wait} s")
            elif now >= self._again_at[process.name]:
                del self._again_at[process.name]
                self._spawn(process)

    def stop(self) -> None:
        """Ask all to stop at once, wait for all together, then kill what is still running."""
        end = time.monotonic() + STOP_SECONDS
        for child in self._children.values():
            child.send_signal(signal.SIGTERM)
        for child in self._children.values():
            stop(child, signal.SIGTERM, max(0.0, end - time.monotonic()))
        self._children.clear()
        if self._forks is not None:
            self._forks.close()
            self._forks = None


def _is_door(process: Process) -> bool:
    return process.arguments == ("serve",) or process.name in WATCHED


def _all_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def readable(line: bytes) -> str:
    """A JSON log line in readable form; any other line unchanged."""
    try:
        record = json.loads(line)
        event, level = record.pop("event"), record.pop("level")
    except (ValueError, KeyError, AttributeError, TypeError):
        return line.decode(errors="replace").rstrip()
    hidden = {"timestamp", "service", "trace"}
    return f"{level:<8} {event}  " + " ".join(f"{key}={value}" for key, value in record.items() if key not in hidden)

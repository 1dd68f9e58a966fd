"""Three brokers on this machine as production has them: replicated, SASL/SCRAM-SHA-512 over TLS, rights by a table.

Clients come by SCRAM over TLS. The controllers among themselves know each other by certificate (SCRAM users live in the log that
the controllers agree on, so they cannot be what lets a controller in). Who is not in the table of rights may do nothing.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from chassis.eventing.kafka.connection import KafkaConnection
from deploy.kafka.acls import ITERATIONS, USERS, provide, salted
from deploy.kafka.broker import cluster_id
from deploy.kafka.certificates import Authority, write_private
from deploy.kafka.node import Node, settings
from deploy.local.subprocesses import free_port

NODES: Final = 3
ADMIN: Final = "admin"
_BROKER: Final = "broker"
"""The user and the certificate name of the brokers among themselves."""
_CLIENT: Final = "SASL_SSL"


class Cluster:
    """Three nodes with their data, certificates and passwords in `directory`; `jars` is shared by all."""

    def __init__(self, directory: Path, jars: Path) -> None:
        self.directory = directory
        self.nodes = [Node(directory / f"node-{number}", jars) for number in range(1, NODES + 1)]
        self._ports = [free_port() for _ in self.nodes]
        self._controllers = [free_port() for _ in self.nodes]

    @property
    def bootstrap(self) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{port}" for port in self._ports)

    @property
    def ca(self) -> Path:
        """What clients trust."""
        return self.directory / "ca.pem"

    @property
    def passwords(self) -> dict[str, str]:
        """Of the users of the table, of `admin` and of `broker`."""
        kept: dict[str, str] = json.loads((self.directory / "users.json").read_text())
        return kept

    def connection(self, user: str) -> KafkaConnection:
        """How `user` reaches it."""
        return KafkaConnection(self.bootstrap, user, SecretStr(self.passwords[user]), self.ca, NODES)

    async def start(self) -> None:
        """Create what a new cluster needs, start all nodes, and create users, topic and rights."""
        self._secrets()
        await asyncio.to_thread(self._format)
        for number in range(NODES):
            self._spawn(number)
        for node in self.nodes:
            await asyncio.to_thread(node.wait)
        await provide(self.connection(ADMIN), {user: self.passwords[user] for user in USERS})

    def kill(self, number: int) -> None:
        """kill -9 of one node, counted from 0."""
        self.nodes[number].kill()

    async def restart(self, number: int) -> None:
        """Start a killed node again; returns when it accepts clients."""
        self._spawn(number)
        await asyncio.to_thread(self.nodes[number].wait)

    def _spawn(self, number: int) -> None:
        # Never in a separate thread: to the kernel, the end of the thread that started a child is the end of its parent.
        self.nodes[number].spawn(self._ports[number])

    def stop(self) -> None:
        """Stop all at once: one after the other, the last one would wait for a quorum that is gone."""
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.stop()

    def _secrets(self) -> None:
        if (self.directory / "users.json").exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        authority = Authority.make()
        self.ca.write_bytes(authority.pem)
        for number in range(1, NODES + 1):
            write_private(self.directory / f"node-{number}.pem", authority.sign(_BROKER))
        made = {user: secrets.token_urlsafe(24) for user in (*USERS, ADMIN, _BROKER)}
        part = self.directory / "users.part"  # renamed last, once complete: the file is never partial
        write_private(part, json.dumps(made).encode())
        part.rename(self.directory / "users.json")

    def _format(self) -> None:
        cluster = cluster_id()
        users = [part for user in (ADMIN, _BROKER) for part in ("--add-scram", _scram(user, self.passwords[user]))]
        with ThreadPoolExecutor(NODES) as pool:
            written = [self._settings(number) for number in range(NODES)]
            list(pool.map(lambda number: self.nodes[number].format(written[number], cluster, *users), range(NODES)))

    def _settings(self, number: int) -> str:
        voters = ",".join(f"{each + 1}@127.0.0.1:{port}" for each, port in enumerate(self._controllers))
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        more = {
            "controller.quorum.voters": voters,
            "listener.security.protocol.map": f"{_CLIENT}:{_CLIENT},CONTROLLER:SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                f'{login} username="{_BROKER}" password="{self.passwords[_BROKER]}";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.directory / f"node-{number + 1}.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca),
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{_BROKER};User:{ADMIN}",
        }
        return settings(
            node=number + 1, port=self._ports[number], controller=self._controllers[number],
            data=self.nodes[number].directory / "data", replicas=NODES, client=_CLIENT, more=more,
        )  # fmt: skip


def _scram(user: str, password: str) -> str:
    """A user for the format of the storage, salted: the command line of a process is no secret."""
    salt = secrets.token_bytes(24)
    kept, hashed = base64.b64encode(salt).decode(), base64.b64encode(salted(password, salt)).decode()
    return f'SCRAM-SHA-512=[name={user},iterations={ITERATIONS},salt="{kept}",saltedpassword="{hashed}"]'

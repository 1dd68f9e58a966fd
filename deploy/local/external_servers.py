"""External servers: where the environment names one, the embedded one is not started."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import urlsplit

from deploy.local.processes import kafka_port, postgres_port
from deploy.local.subprocesses import StackError, listening


@dataclass(frozen=True, slots=True)
class ExternalServers:
    """The PostgreSQL and Kafka that the stack runs on, each external or embedded.

    `PARVANDEH_DATABASE_URL` with `PARVANDEH_OWNER_PASSWORD`: a PostgreSQL whose role `owner` may make roles and databases.
    `PARVANDEH_KAFKA`: a Kafka; with users, `PARVANDEH_KAFKA_USERS` is the file of their passwords that `python -m deploy.kafka
    acls` made them from.
    """

    database: bool
    database_url: str
    owner_password: str
    """The owner's password of an external PostgreSQL; the embedded one keeps its own."""
    kafka: bool
    kafka_hosts: str
    users: Mapping[str, str]
    """Kafka's users and their passwords; a process is the user of its name."""
    ca: Mapping[str, str]
    replicas: Mapping[str, str]

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises StackError when the file of Kafka's users cannot be read."""
        url, hosts = environment.get("PARVANDEH_DATABASE_URL", ""), environment.get("PARVANDEH_KAFKA", "")
        return cls(
            database=bool(url),
            database_url=url or f"postgresql://127.0.0.1:{postgres_port()}",
            owner_password=environment.get("PARVANDEH_OWNER_PASSWORD", ""),
            kafka=bool(hosts),
            kafka_hosts=hosts or f"127.0.0.1:{kafka_port()}",
            users=_users(environment.get("PARVANDEH_KAFKA_USERS", "") if hosts else ""),
            ca=_one("PARVANDEH_KAFKA_CA", environment, hosts),
            replicas=_one("PARVANDEH_KAFKA_REPLICAS", environment, hosts),
        )

    @property
    def database_host(self) -> tuple[str, int]:
        """Host and port of PostgreSQL."""
        parts = urlsplit(self.database_url)
        return parts.hostname or "127.0.0.1", parts.port or 5432

    def database_answers(self) -> bool:
        """Whether PostgreSQL's port accepts connections."""
        host, port = self.database_host
        return listening(port, host)

    def environment(self) -> dict[str, str]:
        """The settings of both for every process."""
        return {"PARVANDEH_DATABASE_URL": self.database_url, "PARVANDEH_KAFKA": self.kafka_hosts, **self.replicas}

    def own(self, process: str) -> dict[str, str]:
        """The Kafka settings of this process: one that neither reads nor writes there gets no password."""
        if process not in self.users:
            return {}
        return {**self.ca, "PARVANDEH_KAFKA_USER": process, "PARVANDEH_KAFKA_PASSWORD": self.users[process]}


def _users(path: str) -> Mapping[str, str]:
    if not path:
        return MappingProxyType({})
    try:
        kept: dict[str, str] = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise StackError(f"PARVANDEH_KAFKA_USERS is no readable file of passwords: {path} ({type(error).__name__})") from None
    return MappingProxyType(kept)


def _one(name: str, environment: Mapping[str, str], hosts: str) -> Mapping[str, str]:
    return MappingProxyType({name: environment[name]} if hosts and environment.get(name) else {})

"""How a process reaches Kafka: where, as whom, over what. The one place that makes the clients' arguments.

Either nothing is given and the broker is the embedded one on the loopback, in plain text; or a user and a password are, and
the way is SASL/SCRAM-SHA-512 over TLS. There is nothing between: a password over plain text can be overheard, and TLS without
a user lets anybody write `case.facts`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from faststream.security import BaseSecurity, SASLScram512
from pydantic import SecretStr

from chassis.settings import Settings, Unset

NO_PASSWORD: Final = SecretStr("")
MECHANISM: Final = "SCRAM-SHA-512"
TIMEOUT_MS: Final = 5000
REFUSED_SECONDS: Final = 10.0
"""Pause after a refusal: only a person can change the outcome, and each attempt writes a log line."""


class BrokerRefused(Exception):
    """The broker is there and will not serve this process; the message says why and what to do, without any secret."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The way to one Kafka cluster for one process."""

    bootstrap: tuple[str, ...]
    """`host:port` of some brokers; one that answers is enough."""
    user: str = ""
    password: SecretStr = NO_PASSWORD
    ca: Path | None = None
    """PEM certificates that sign the brokers'; None: those that the system trusts."""
    replicas: int = 1
    """Brokers that hold each fact of the topic."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The access of a process by its settings.

        Raises Unset in production without a user, and without exception: where something else encrypts the way, anybody who
        reaches the port could still write. Raises Unset, too, when PARVANDEH_KAFKA_CA cannot be read.
        """
        if settings.production and not settings.kafka_user:
            raise Unset("PARVANDEH_KAFKA_USER and PARVANDEH_KAFKA_PASSWORD are not set; PARVANDEH_ENVIRONMENT is production")
        connection = cls(
            bootstrap=tuple(part.strip() for part in settings.kafka.split(",") if part.strip()),
            user=settings.kafka_user,
            password=settings.kafka_password,
            ca=settings.kafka_ca,
            replicas=settings.kafka_replicas or (3 if settings.production else 1),
        )
        try:
            connection.arguments()
        except (OSError, ssl.SSLError) as error:
            raise Unset(f"PARVANDEH_KAFKA_CA is no readable file of PEM certificates: {settings.kafka_ca}") from error
        return connection

    @property
    def in_sync(self) -> int:
        """Replicas that must hold a fact before it is acknowledged: a majority (2 of 3), so that one broker may be lost."""
        return self.replicas // 2 + 1

    def arguments(self) -> dict[str, Any]:
        """The arguments of every aiokafka client."""
        # A list, since FastStream and aiokafka split a text at commas in some places and not in others.
        where: dict[str, Any] = {"bootstrap_servers": list(self.bootstrap)}
        return where | self._secured() if self.user else where

    def security(self) -> BaseSecurity | None:
        """The same for FastStream's broker."""
        if not self.user:
            return None
        return SASLScram512(self.user, self.password.get_secret_value(), ssl_context=self._secured()["ssl_context"])

    def _secured(self) -> dict[str, Any]:
        return {
            "security_protocol": "SASL_SSL",
            "ssl_context": ssl.create_default_context(cafile=self.ca),  # certificate and host name are checked
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password.get_secret_value(),
        }


@asynccontextmanager
async def administering(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises BrokerRefused, or aiokafka's errors when no broker can be reached."""
    client = AIOKafkaAdminClient(**connection.arguments(), request_timeout_ms=TIMEOUT_MS)
    try:
        await client.start()
    except KafkaConnectionError:
        # The client says "unable to bootstrap" of a wrong password and of a broken cable alike.
        await _explain(connection)
        raise
    try:
        yield client
    finally:
        await client.close()


async def _explain(connection: KafkaConnection) -> None:
    """Raises BrokerRefused when a broker is there and does not let us in; returns when none can be reached."""
    arguments = connection.arguments()
    for host, port, _ in collect_hosts(arguments.pop("bootstrap_servers")):
        try:
            probe = await create_conn(host, port, request_timeout_ms=TIMEOUT_MS, **arguments)
        except SaslAuthenticationFailed:
            raise BrokerRefused(
                f"{host}:{port} knows no user {connection.user} with this password: see PARVANDEH_KAFKA_PASSWORD"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise BrokerRefused(
                f"the certificate of {host}:{port} is not trusted ({error.verify_message}): see PARVANDEH_KAFKA_CA"
            ) from None
        except UnsupportedSaslMechanismError:
            raise BrokerRefused(f"{host}:{port} does not take users by {MECHANISM}") from None
        except (OSError, KafkaError, TimeoutError):
            # It may be away, or have closed the connection because we speak otherwise than that port.
            if connection.user and await _speaks_plain_text(host, port):
                raise BrokerRefused(f"{host}:{port} does not speak TLS: see PARVANDEH_KAFKA") from None
            if not connection.user and await _speaks_tls(host, port):
                raise BrokerRefused(f"{host}:{port} wants TLS and a user: see PARVANDEH_KAFKA_USER") from None
        else:
            probe.close()


async def _speaks_plain_text(host: str, port: int) -> bool:
    try:
        probe = await create_conn(host, port, request_timeout_ms=TIMEOUT_MS)  # asks for versions, and names nobody
    except (OSError, KafkaError, TimeoutError):
        return False
    probe.close()
    return True


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent over it
    try:
        async with asyncio.timeout(TIMEOUT_MS / 1000):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True

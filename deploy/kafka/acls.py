"""Kafka's access rights as a table, and the code that applies it to a cluster. Applying it again changes nothing.

The relay alone writes `case.facts`. Each service reads it as its own group. Nobody of ours makes or deletes a topic, reads as
another's group, or changes a right: the topic is made here too, by the operator.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from chassis.eventing.kafka.connection import KafkaConnection, administering
from chassis.eventing.kafka.topic import TOPIC, ensure
from deploy.kafka.scram import AlterUserScramCredentialsRequest
from deploy.local.roles import SERVICES
from deploy.local.subprocesses import StackError

ITERATIONS: Final = 8192
_ANY: Final = 1
_LITERAL: Final = 3
_ALLOW: Final = 3


class Resource(IntEnum):
    """The resource of a right, by Kafka's number."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """Allowed operations, by Kafka's number; each implies DESCRIBE."""

    READ = 3
    WRITE = 4


class Right(NamedTuple):
    """One line of the table."""

    user: str
    operation: Operation
    resource: Resource
    name: str


USERS: Final = ("relay", *SERVICES)
RIGHTS: Final = (
    Right("relay", Operation.WRITE, Resource.TOPIC, TOPIC),
    *(Right(service, Operation.READ, Resource.TOPIC, TOPIC) for service in SERVICES),
    *(Right(service, Operation.READ, Resource.GROUP, service) for service in SERVICES),
)


class Found(NamedTuple):
    """A right as a cluster says it, of whatever kind."""

    principal: str
    permission: int
    operation: int
    resource: int
    pattern: int
    name: str
    host: str

    def __str__(self) -> str:
        verb = "may" if self.permission == _ALLOW else "may not"
        return f"{self.principal} {verb} (operation {self.operation}) on {self.name} (resource {self.resource})"


def _as_found(right: Right) -> Found:
    return Found(f"User:{right.user}", _ALLOW, right.operation, right.resource, _LITERAL, right.name, "*")


async def provide(connection: KafkaConnection, passwords: Mapping[str, str]) -> list[str]:
    """Make users (of `passwords`, by name), topic and rights as the administrator of `connection`; a line for each thing done.

    Raises StackError when the cluster refuses one, and what `administering` raises.
    """
    done = []
    async with administering(connection) as admin:
        for user, password in passwords.items():
            await put_user(admin, user, password)
            done.append(f"user {user} has its password")
    done.append(f"topic {TOPIC} {'made' if await ensure(connection) else 'was there'}, held by {connection.replicas} brokers")
    async with administering(connection) as admin:
        known = await _found(admin)
        for right in RIGHTS:
            line = f"{right.user} may {right.operation.name.lower()} the {right.resource.name.lower()} {right.name}"
            if _as_found(right) in known:
                done.append(f"{line}: was so")
                continue
            await put_right(admin, right)
            done.append(line)
    return done


async def strays(connection: KafkaConnection) -> list[Found]:
    """Rights about our topic, groups or users that the table does not have: somebody gave them by hand."""
    table = {_as_found(right) for right in RIGHTS}
    ours = {(Resource.TOPIC, TOPIC), *((Resource.GROUP, service) for service in SERVICES)}
    people = {f"User:{user}" for user in USERS} | {"User:*"}
    async with administering(connection) as admin:
        found = await _found(admin)
    return sorted(
        each
        for each in found - table
        if each.principal in people or any(each.resource == kind and _matches(each, name) for kind, name in ours)
    )


def _matches(found: Found, name: str) -> bool:
    return found.name in ("*", name) if found.pattern == _LITERAL else name.startswith(found.name)


async def put_user(admin: AIOKafkaAdminClient, user: str, password: str) -> None:
    """Create a user or set its password. Raises StackError."""
    salt = secrets.token_bytes(24)
    request = AlterUserScramCredentialsRequest(user, ITERATIONS, salt, salted(password, salt))
    for name, code, message, _ in (await admin._send_to_controller(request)).results:
        if code:
            raise StackError(f"the user {name} could not be made: {message or for_code(code).__name__}")


async def put_right(admin: AIOKafkaAdminClient, right: Right) -> None:
    """Allow what `right` says. Raises StackError."""
    request = CreateAclsRequest(right.resource, right.name, _LITERAL, f"User:{right.user}", "*", right.operation, _ALLOW)
    for code, message in (await admin._send_to_controller(request)).creation_responses:
        if code:
            raise StackError(
                f"the right of {right.user} on {right.name} could not be given: {message or for_code(code).__name__}"
            )


async def _found(admin: AIOKafkaAdminClient) -> set[Found]:
    answer = await admin._send_to_controller(DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    if answer.error_code:
        raise StackError(f"the rights could not be read: {answer.error_message or for_code(answer.error_code).__name__}")
    return {
        Found(principal, permission, operation, resource, pattern, name, host)
        for resource, name, pattern, rights in answer.resources
        for principal, host, operation, permission in rights
    }


def salted(password: str, salt: bytes) -> bytes:
    """The salted password of RFC 5802, so that the password itself is never sent or put on a command line."""
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)

"""The one topic, `case.facts` (a topic per writer would show gaps to every reader), and which partition a shard goes to."""

from __future__ import annotations

from typing import Any, Final

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ClusterAuthorizationFailedError, GroupAuthorizationFailedError, KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from chassis.eventing.kafka.connection import TIMEOUT_MS, BrokerRefused, KafkaConnection, administering

TOPIC: Final = "case.facts"
PARTITIONS: Final = 8
RETENTION_DAYS: Final = 7


class TopicFault(BrokerRefused):
    """The topic cannot be made, or it is another one than the code needs."""


def partition_of(shard: int) -> int:
    """The partition of a shard, sent explicitly: hashing keys is not stable across clients."""
    return shard % PARTITIONS


async def ensure(connection: KafkaConnection) -> bool:
    """Make the topic when it is not there; True when it had to be made (a new or a wiped broker).

    Asks first, so that no right to make topics is needed where an operator has made it (`python -m deploy.kafka acls`).
    Raises BrokerRefused or TopicFault, or aiokafka's errors when the broker cannot be reached.
    """
    async with administering(connection) as admin:
        partitions = await _look(admin, connection)
        if partitions is None:
            return await _make(admin, connection)
        if len(partitions) != PARTITIONS:
            raise TopicFault(f"{TOPIC} has {len(partitions)} partitions, not {PARTITIONS}")
        fewest = min(len(partition["replicas"]) for partition in partitions)
        if fewest < connection.replicas:
            raise TopicFault(f"{TOPIC} is held by {fewest} brokers, not {connection.replicas}: see PARVANDEH_KAFKA_REPLICAS")
        return False


async def check_read_access(connection: KafkaConnection, group: str) -> None:
    """Raises BrokerRefused when the user may not read as `group`: a consumer would wait in its start for ever and say nothing."""
    async with administering(connection) as admin:
        try:
            await admin.find_coordinator(group)
        except GroupAuthorizationFailedError:
            raise BrokerRefused(f"the user {connection.user or 'of plain text'} may not read as the group {group}") from None
        except KafkaError:
            return  # a new cluster has no coordinators yet: the consumer asks again


async def check_write_access(connection: KafkaConnection) -> None:
    """Raises BrokerRefused when the user may not write the topic: else only the first fact would tell."""
    async with administering(connection) as admin:
        # The id is not used (no idempotent producer, see the relay); Kafka gives one only to who may write somewhere.
        answer = await admin._send_request(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=TIMEOUT_MS))
        if for_code(answer.error_code) is ClusterAuthorizationFailedError:
            raise BrokerRefused(
                f"the user {connection.user or 'of plain text'} may not write {TOPIC}: `python -m deploy.kafka acls`"
            )


async def _look(admin: AIOKafkaAdminClient, connection: KafkaConnection) -> list[dict[str, Any]] | None:
    # The client's own describe_topics lets a broker that makes topics by itself make this one, with partitions of its choice.
    answer = await admin._send_request(MetadataRequest([TOPIC], allow_auto_topic_creation=False))
    (topic,) = answer.to_object()["topics"]
    match for_code(topic["error_code"]):
        case errors.UnknownTopicOrPartitionError:
            return None
        case errors.TopicAuthorizationFailedError:
            raise BrokerRefused(
                f"the user {connection.user or 'of plain text'} may not see {TOPIC}: `python -m deploy.kafka acls`"
            )
        case errors.NoError | errors.LeaderNotAvailableError:
            return list(topic["partitions"])
        case fault:
            raise fault


async def _make(admin: AIOKafkaAdminClient, connection: KafkaConnection) -> bool:
    topic = NewTopic(
        TOPIC,
        num_partitions=PARTITIONS,
        replication_factor=connection.replicas,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": str(RETENTION_DAYS * 86_400_000),
            "min.insync.replicas": str(connection.in_sync),
        },
    )
    # aiokafka's admin returns errors instead of raising them.
    (_, code, *_), *_ = (await admin.create_topics([topic])).topic_errors
    match for_code(code):
        case errors.NoError:
            return True
        case errors.TopicAlreadyExistsError:
            return False  # another process was quicker
        case errors.TopicAuthorizationFailedError | errors.ClusterAuthorizationFailedError:
            raise TopicFault(f"{TOPIC} is not there and {connection.user} may not make it: `python -m deploy.kafka acls` does")
        case fault:
            raise TopicFault(f"{TOPIC} could not be made with {connection.replicas} replicas: {fault.__name__}")

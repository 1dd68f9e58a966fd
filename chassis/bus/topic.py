"""The one topic, `case.facts` (a topic per writer would show gaps to every reader), and which partition a shard goes to."""

from __future__ import annotations

from typing import Any, Final

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ClusterAuthorizationFailedError, GroupAuthorizationFailedError, KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from chassis.bus.access import TIMEOUT_MS, Access, Refused, administering

TOPIC: Final = "case.facts"
PARTITIONS: Final = 8
RETENTION_DAYS: Final = 7


class TopicFault(Refused):
    """The topic cannot be made, or it is another one than the code needs."""


def partition_of(shard: int) -> int:
    """The partition of a shard, sent explicitly: hashing keys is not stable across clients."""
    return shard % PARTITIONS


async def ensure(access: Access) -> bool:
    """Make the topic when it is not there; True when it had to be made (a new or a wiped broker).

    Asks first, so that no right to make topics is needed where an operator has made it (`python -m deploy.kafka acls`).
    Raises Refused or TopicFault, or aiokafka's errors when the broker cannot be reached.
    """
    async with administering(access) as admin:
        partitions = await _look(admin, access)
        if partitions is None:
            return await _make(admin, access)
        if len(partitions) != PARTITIONS:
            raise TopicFault(f"{TOPIC} has {len(partitions)} partitions, not {PARTITIONS}")
        fewest = min(len(partition["replicas"]) for partition in partitions)
        if fewest < access.replicas:
            raise TopicFault(f"{TOPIC} is held by {fewest} brokers, not {access.replicas}: see PARVANDEH_KAFKA_REPLICAS")
        return False


async def may_read(access: Access, group: str) -> None:
    """Raises Refused when the user may not read as `group`: a consumer would wait in its start for ever and say nothing."""
    async with administering(access) as admin:
        try:
            await admin.find_coordinator(group)
        except GroupAuthorizationFailedError:
            raise Refused(f"the user {access.user or 'of plain text'} may not read as the group {group}") from None
        except KafkaError:
            return  # a new cluster has no coordinators yet: the consumer asks again


async def may_write(access: Access) -> None:
    """Raises Refused when the user may write no topic: else it would be said only of the first fact, and the relay look ready."""
    async with administering(access) as admin:
        # The id is not used (no idempotent producer, see the relay); Kafka gives one only to who may write somewhere.
        answer = await admin._send_request(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=TIMEOUT_MS))
        if for_code(answer.error_code) is ClusterAuthorizationFailedError:
            raise Refused(f"the user {access.user or 'of plain text'} may not write {TOPIC}: `python -m deploy.kafka acls`")


async def _look(admin: AIOKafkaAdminClient, access: Access) -> list[dict[str, Any]] | None:
    # The client's own describe_topics lets a broker that makes topics by itself make this one, with partitions of its choice.
    answer = await admin._send_request(MetadataRequest([TOPIC], allow_auto_topic_creation=False))
    (topic,) = answer.to_object()["topics"]
    match for_code(topic["error_code"]):
        case errors.UnknownTopicOrPartitionError:
            return None
        case errors.TopicAuthorizationFailedError:
            raise Refused(f"the user {access.user or 'of plain text'} may not see {TOPIC}: `python -m deploy.kafka acls`")
        case errors.NoError | errors.LeaderNotAvailableError:
            return list(topic["partitions"])
        case fault:
            raise fault


async def _make(admin: AIOKafkaAdminClient, access: Access) -> bool:
    topic = NewTopic(
        TOPIC,
        num_partitions=PARTITIONS,
        replication_factor=access.replicas,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": str(RETENTION_DAYS * 86_400_000),
            "min.insync.replicas": str(access.in_sync),
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
            raise TopicFault(f"{TOPIC} is not there and {access.user} may not make it: `python -m deploy.kafka acls` does")
        case fault:
            raise TopicFault(f"{TOPIC} could not be made with {access.replicas} replicas: {fault.__name__}")

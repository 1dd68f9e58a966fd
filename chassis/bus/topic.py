"""The one topic, `case.facts` (a topic per writer would show gaps to every reader), and which partition a shard goes to."""

from __future__ import annotations

from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

TOPIC: Final = "case.facts"
PARTITIONS: Final = 8
RETENTION_DAYS: Final = 7
_EXISTS: Final = 36


class TopicFault(Exception):
    """The broker would not make the topic, or it has another number of partitions than the code says."""


def partition_of(shard: int) -> int:
    """The partition of a shard, sent explicitly: hashing keys is not stable across clients."""
    return shard % PARTITIONS


async def ensure(bootstrap: str) -> bool:
    """Make the topic when it is not there; True when it had to be made (a new or a wiped broker).

    Raises TopicFault, or aiokafka's errors when the broker cannot be reached.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    await admin.start()
    try:
        topic = NewTopic(
            TOPIC,
            num_partitions=PARTITIONS,
            replication_factor=-1,  # the broker's default: 1 on the embedded one, 3 in production
            replica_assignments={},  # aiokafka takes -1 only beside assignments, and an empty set of them means none
            topic_configs={"cleanup.policy": "delete", "retention.ms": str(RETENTION_DAYS * 86_400_000)},
        )
        # aiokafka's admin returns errors instead of raising them.
        (_, code, *_), *_ = (await admin.create_topics([topic])).topic_errors
        if code == 0:
            return True
        if code != _EXISTS:
            raise TopicFault(f"{TOPIC} could not be made: error {code}")
        found = (await admin.describe_topics([TOPIC]))[0]
        if len(found["partitions"]) != PARTITIONS:
            raise TopicFault(f"{TOPIC} has {len(found['partitions'])} partitions, not {PARTITIONS}")
        return False
    finally:
        await admin.close()

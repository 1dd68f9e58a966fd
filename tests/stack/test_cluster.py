"""Three brokers, replicated, over TLS with users and rights: a killed one loses nothing, and each wrong principal is refused."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
)
from pydantic import SecretStr
from structlog.testing import capture_logs

from caselog.outcomes import Appended, Repeated
from caselog.read import LogReader
from chassis.eventing.kafka.connection import BrokerRefused, KafkaConnection, administering
from chassis.eventing.kafka.consumer import running_bus, subscription
from chassis.eventing.kafka.topic import PARTITIONS, TOPIC, TopicFault, check_read_access, check_write_access, ensure
from chassis.eventing.processors.inbox import Inbox
from chassis.eventing.processors.processor import Batch, EventProcessor
from chassis.settings import Settings
from deploy.kafka.acls import RIGHTS, USERS, Operation, Resource, Right, put_right
from deploy.kafka.certificates import Authority
from deploy.kafka.cluster import ADMIN, NODES, Cluster
from deploy.local.roles import SERVICES
from deploy.local.subprocesses import StackError
from schemas.facts import CODEC
from tests.conftest import ROOT
from tests.databases import Databases
from tests.eventing.harness import apply, eventually, facts, inbox_of, prepare, rebuilt, relaying, rows

WRONG = SecretStr("wrong")


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    here = Cluster(tmp_path_factory.mktemp("cluster"), ROOT / "var" / "kafka-jars")
    try:
        await here.start()
        yield here
    finally:
        here.stop()


# One killed under load


async def apply_again(connection: asyncpg.Connection, run: Batch) -> None:
    rows_ = [(recorded.shard, recorded.seq, recorded.link) for _, recorded in run]
    await connection.executemany("INSERT INTO again VALUES ($1, $2, $3)", rows_)


@asynccontextmanager
async def two_readers(databases: Databases, connection: KafkaConnection) -> AsyncIterator[tuple[Inbox, asyncpg.Pool]]:
    """An inbox of two readers with refill off: what the bus loses is missing for ever."""
    owner = await databases.connect("review", "owner")
    await owner.execute("CREATE TABLE again (shard int, seq bigint, link bytea); GRANT SELECT, INSERT ON again TO review")
    await owner.close()
    async with (
        asyncpg.create_pool(**databases.where("caselog", "review_reader"), min_size=1, max_size=2) as pool,
        asyncpg.create_pool(**databases.where("review", "review"), min_size=1, max_size=4) as db,
    ):
        readers = [EventProcessor("rows", 1, apply, codec=CODEC), EventProcessor("again", 1, apply_again, codec=CODEC)]
        inbox = Inbox(readers, db=db, log=LogReader(pool), refill=False)
        async with inbox.running():
            bus = subscription(connection, "review", inbox)
            await bus.start()
            try:
                yield inbox, db
            finally:
                await bus.stop()


async def messages(cluster: Cluster) -> int:
    """How many messages the topic has taken."""
    consumer = AIOKafkaConsumer(**cluster.connection("review").arguments())
    await consumer.start()
    try:
        return sum((await consumer.end_offsets([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])).values())
    finally:
        await consumer.stop()


async def whole(cluster: Cluster) -> bool:
    """Whether every partition is held, in sync, by all nodes: only then may the next one be killed."""
    async with administering(cluster.connection(ADMIN)) as admin:
        (topic,) = await admin.describe_topics([TOPIC])
    return all(len(partition["isr"]) == NODES for partition in topic["partitions"])


@pytest.mark.timeout(400)  # three starts of a JVM after the three of the cluster
async def test_each_of_three_brokers_killed_under_load_loses_and_doubles_nothing(databases: Databases, cluster: Cluster) -> None:
    await prepare(databases)
    before = await messages(cluster)
    appended, stop = 0, asyncio.Event()

    async with (
        databases.appender() as appender,
        relaying(databases, cluster.connection("relay")) as relay,
        two_readers(databases, cluster.connection("review")) as (inbox, db),
    ):

        async def load() -> None:
            nonlocal appended
            while not stop.is_set():
                commands = [facts(f"case:{n % 40}", range(n, n + 1)) for n in range(appended, appended + 10)]
                outcomes = await asyncio.gather(*(appender.append(command, patience=60) for command in commands))
                assert all(isinstance(outcome, Appended | Repeated) for outcome in outcomes)
                appended += 10
                # The pace of the load: nothing waits for it. A slow machine is not buried under facts.
                await asyncio.sleep(0.05 if relay.state.behind < 1000 else 0.5)

        async def another_hundred() -> None:
            """Facts go on through the bus: that many more are acknowledged by it."""
            until = relay.state.published + 100

            async def there() -> bool:
                return relay.state.published >= until

            await eventually(there, 60)

        loading = asyncio.create_task(load())
        for number in range(NODES):
            await eventually(lambda: whole(cluster), 60)
            await another_hundred()
            cluster.kill(number)
            killed_at = time.monotonic()
            await another_hundred()
            print(f"node {number} killed; another 100 facts acknowledged by the bus after {time.monotonic() - killed_at:.1f} s")
            assert not loading.done()
            await cluster.restart(number)
        stop.set()
        await loading
        for reader in inbox.stores:
            await eventually(lambda r=reader: inbox.caught_up(r), 60)  # type: ignore[misc]
        log = await rebuilt(databases)
        assert len(log) == appended
        assert await rows(db) == log
        again = await db.fetch("SELECT shard, seq, link FROM again ORDER BY shard, seq")
        assert [tuple(row) for row in again] == [(shard, seq, link) for shard, seq, _, link, _ in log]
        assert inbox.share("rows") == 1.0
    twice = await messages(cluster) - before - appended
    assert twice >= 0, "every fact is on the topic"
    print(f"{appended} facts; {twice} of them more than once on the topic; 0 lost, 0 doubled")


async def test_the_topic_is_held_by_three_and_acknowledged_by_two(cluster: Cluster) -> None:
    async with administering(cluster.connection(ADMIN)) as admin:
        (topic,) = await admin.describe_topics([TOPIC])
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
    assert [len(partition["replicas"]) for partition in topic["partitions"]] == [3] * PARTITIONS
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert (settings["min.insync.replicas"], settings["cleanup.policy"]) == ("2", "delete")


# What each may do, and that nobody may do anything else


async def write(connection: KafkaConnection) -> None:
    producer = AIOKafkaProducer(**connection.arguments(), acks="all", request_timeout_ms=10_000)
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, b"{}", partition=0)
    finally:
        await producer.stop()


async def read_topic(connection: KafkaConnection) -> None:
    """Returns when a message, or the end of the topic, was read without a group."""
    consumer = AIOKafkaConsumer(**connection.arguments(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(TOPIC, 0)])
        await consumer.getmany(timeout_ms=2000)
    finally:
        await consumer.stop()


async def read_group(connection: KafkaConnection, group: str) -> None:
    async with administering(connection) as admin:
        await admin.list_consumer_group_offsets(group)


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_reads_the_topic_as_its_own_group(cluster: Cluster, service: str) -> None:
    connection = cluster.connection(service)
    await check_read_access(connection, service)
    await read_group(connection, service)
    await read_topic(connection)
    assert not await ensure(connection)


async def test_the_relay_writes_and_finds_the_topic_without_a_right_to_make_it(cluster: Cluster) -> None:
    assert not await ensure(cluster.connection("relay"))
    await check_write_access(cluster.connection("relay"))
    await write(cluster.connection("relay"))


@pytest.mark.parametrize("service", SERVICES)
async def test_no_service_writes(cluster: Cluster, service: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await write(cluster.connection(service))
    with pytest.raises(BrokerRefused, match=f"the user {service} may not write case.facts"):
        await check_write_access(cluster.connection(service))


@pytest.mark.parametrize(("service", "group"), [(a, b) for a in SERVICES for b in SERVICES if a != b])
async def test_no_service_reads_as_the_group_of_another(cluster: Cluster, service: str, group: str) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await read_group(cluster.connection(service), group)
    with pytest.raises(BrokerRefused, match=f"may not read as the group {group}"):
        await check_read_access(cluster.connection(service), group)


async def test_the_relay_does_not_read(cluster: Cluster) -> None:
    for group in (*SERVICES, "relay"):
        with pytest.raises(GroupAuthorizationFailedError):
            await read_group(cluster.connection("relay"), group)
    with pytest.raises(TopicAuthorizationFailedError):
        await read_topic(cluster.connection("relay"))


@pytest.mark.parametrize("user", USERS)
async def test_nobody_of_ours_makes_or_deletes_a_topic_or_gives_a_right(cluster: Cluster, user: str) -> None:
    async with administering(cluster.connection(user)) as admin:
        made = await admin.create_topics([NewTopic("mine", 1, 1)])
        assert made.topic_errors[0][1] in (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno)
        deleted = await admin.delete_topics([TOPIC])
        assert deleted.topic_error_codes == [(TOPIC, TopicAuthorizationFailedError.errno)]
        with pytest.raises(StackError, match=f"the right of {user}"):
            await put_right(admin, Right(user, Operation.WRITE, Resource.TOPIC, TOPIC))


async def refused(connection: KafkaConnection) -> None:
    async with administering(connection):
        raise AssertionError("the cluster let it in")


@pytest.mark.parametrize("user", ["relay", "review", ADMIN, "broker", "nobody"])
async def test_a_wrong_password_and_an_unknown_user_are_refused_and_said(cluster: Cluster, user: str) -> None:
    with pytest.raises(BrokerRefused, match=f"knows no user {user} with this password"):
        await refused(replace(cluster.connection("relay"), user=user, password=WRONG))


async def test_plain_text_to_the_tls_port_is_refused_and_said(cluster: Cluster) -> None:
    with pytest.raises(BrokerRefused, match="wants TLS and a user"):
        await refused(KafkaConnection(cluster.bootstrap))


async def test_tls_without_a_user_is_refused(cluster: Cluster) -> None:
    arguments = {name: value for name, value in cluster.connection("relay").arguments().items() if not name.startswith("sasl")}
    client = AIOKafkaAdminClient(**arguments | {"security_protocol": "SSL"}, request_timeout_ms=5000)
    with pytest.raises(KafkaConnectionError):
        await client.start()


async def test_brokers_of_an_unknown_authority_are_not_trusted(cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.make().pem)
    for ca in (other, None):
        with pytest.raises(BrokerRefused, match="is not trusted"):
            await refused(replace(cluster.connection("relay"), ca=ca))


async def test_tls_to_a_plain_text_port_is_refused_and_said(cluster: Cluster, broker: Any) -> None:
    with pytest.raises(BrokerRefused, match="does not speak TLS"):
        await refused(replace(cluster.connection("relay"), bootstrap=broker.connection.bootstrap))


# What an operator does


async def test_users_topic_and_rights_are_made_once_and_a_right_beyond_the_table_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    users = tmp_path / "users.json"
    users.write_text(json.dumps(cluster.passwords))
    code, said = await operator(cluster, "acls", str(users))
    assert (code, said.count(": was so")) == (0, len(RIGHTS))
    assert "topic case.facts was there" in said
    assert not any(password in said for password in cluster.passwords.values())
    async with administering(cluster.connection(ADMIN)) as admin:
        await put_right(admin, Right("review", Operation.READ, Resource.GROUP, "by-hand"))
    code, said = await operator(cluster, "acls")
    assert code == 3
    assert "beyond the table: User:review may" in said


async def test_an_operator_who_is_not_the_administrator_changes_nothing_and_is_told_so(cluster: Cluster) -> None:
    code, said = await operator(cluster, "acls", user="review")
    assert code == 1
    assert "Traceback" not in said


async def operator(cluster: Cluster, *arguments: str, user: str = ADMIN) -> tuple[int, str]:
    """`python -m deploy.kafka` as the user; its exit code, and all that it said."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PARVANDEH_KAFKA": ",".join(cluster.bootstrap),
        "PARVANDEH_KAFKA_USER": user,
        "PARVANDEH_KAFKA_PASSWORD": cluster.passwords[user],
        "PARVANDEH_KAFKA_CA": str(cluster.ca),
    }
    command = [sys.executable, "-m", "deploy.kafka", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_a_topic_of_fewer_replicas_or_one_that_is_missing_is_said(cluster: Cluster, broker: Any) -> None:
    await ensure(broker.connection)
    with pytest.raises(TopicFault, match="held by 1 brokers, not 3"):
        await ensure(replace(broker.connection, replicas=3))


# A process with a wrong password


async def test_a_service_and_a_relay_with_a_wrong_password_say_so_and_are_not_ready(
    databases: Databases, cluster: Cluster
) -> None:
    await prepare(databases)
    wrong = Settings(
        kafka=",".join(cluster.bootstrap), kafka_user="review", kafka_password=WRONG, kafka_ca=cluster.ca, kafka_replicas=3
    )

    async def said(event: str) -> bool:
        return any(line["event"] == event and "knows no user" in line["reason"] for line in lines)

    with capture_logs() as lines:
        async with (
            inbox_of(databases) as (inbox, _),
            running_bus(wrong, "review", inbox),
            relaying(databases, replace(cluster.connection("relay"), password=WRONG)) as relay,
        ):
            assert inbox.refused is not None, "not ready before the first answer either"
            await eventually(lambda: said("bus_refused"))
            await eventually(lambda: said("relay_refused"))
            assert inbox.refused is not None
            assert not relay.state.connected
    assert "wrong" not in str([line for line in lines if line["event"] in ("bus_refused", "relay_refused")])

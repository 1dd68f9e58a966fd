"""The embedded Kafka: only the locked jars run, and the broker answers."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.kafka import class_cache
from deploy.kafka.broker import Broker
from deploy.kafka.jars import Jar, check, locked, provide
from deploy.kafka.node import class_cache_of
from deploy.local.subprocesses import StackError
from tests.conftest import ROOT

JARS = ROOT / "var" / "kafka-jars"


async def test_what_is_sent_is_received(broker: Broker) -> None:
    administration = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await administration.start()
    try:
        await administration.create_topics([NewTopic("stack.test", 1, 1)])
    finally:
        await administration.close()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait("stack.test", "پرونده".encode())
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition("stack.test", 0)])
        assert (await consumer.getone()).value == "پرونده".encode()
    finally:
        await consumer.stop()


def test_a_jar_with_one_flipped_byte_is_refused_by_name(broker: Broker, tmp_path: Path) -> None:
    copied = tmp_path / "jars"
    shutil.copytree(JARS, copied)
    victim = copied / locked()[7].name
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    with pytest.raises(StackError, match=victim.name):
        provide(copied)


def test_a_missing_jar_is_named(broker: Broker, tmp_path: Path) -> None:
    copied = tmp_path / "jars"
    shutil.copytree(JARS, copied)
    (copied / locked()[3].name).unlink()
    with pytest.raises(StackError, match=locked()[3].name):
        check(copied, locked())


def test_of_several_who_find_no_jars_one_brings_them(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_came, brought = Barrier(4), []

    def bring(jars: tuple[Jar, ...], target: Path) -> None:
        brought.append(target)
        for jar in jars:
            shutil.copy(JARS / jar.name, target)

    def come(_: int) -> Path:
        all_came.wait()
        return provide(tmp_path / "var" / "jars")

    monkeypatch.setattr("deploy.kafka.jars._bring", bring)
    with ThreadPoolExecutor(4) as several:
        assert set(several.map(come, range(4))) == {tmp_path / "var" / "jars"}
    assert len(brought) == 1


def test_the_lock_names_each_jar_once() -> None:
    names = [jar.name for jar in locked()]
    assert len(names) == len(set(names)) == 45


def test_a_broker_starts_from_the_cache_of_its_classes_and_without_one_that_does_not_fit(broker: Broker, tmp_path: Path) -> None:
    cache = class_cache.provide(JARS)  # the session's broker is older than it
    fits = Broker(tmp_path / "fits", JARS)
    try:
        fits.start()
        assert str(cache) in Path(f"/proc/{fits.pid}/maps").read_text()
    finally:
        fits.stop()
    copied = tmp_path / "jars"
    shutil.copytree(JARS, copied)  # of another age: not the ones that a cache was made with
    for content in (cache.read_bytes(), b"rubbish"):
        class_cache_of(copied).write_bytes(content)
        node = Broker(tmp_path / f"with {len(content)}", copied)
        try:
            node.start()
        finally:
            node.stop()


def test_a_cache_is_made_once_and_nothing_is_left_beside_it(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    for jar in JARS.iterdir():
        (tmp_path / "jars" / jar.name).symlink_to(jar)
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(class_cache.provide, [tmp_path / "jars"] * 2)
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "jars.aot", "jars.aot.lock"]
    made = first.stat().st_mtime_ns
    assert class_cache.provide(tmp_path / "jars").stat().st_mtime_ns == made

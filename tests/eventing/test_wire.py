"""A fact survives the way over Kafka byte for byte, and a message that is none is named as such."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from caselog.chain import compute_link
from chassis.eventing.kafka.cloudevents import Unreadable, decode, encode, traceparent_of
from chassis.eventing.kafka.topic import PARTITIONS, RETENTION_DAYS, TOPIC
from schemas.asyncapi import HEADERS, OPTIONAL, asyncapi_text
from tests.caselog.vectors import facts

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_is_sent_is_what_is_read_and_the_link_can_be_recomputed() -> None:
    for fact in facts():
        for sent in (fact, replace(fact, cause="ab" * 32)):
            received = decode(encode(sent), sent.body)
            assert received == sent
            assert compute_link(received) == compute_link(sent)


def test_the_headers_are_a_cloudevent_in_binary_mode() -> None:
    fact = facts()[0]
    headers = dict(encode(fact))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == fact.type.encode()
    assert headers["ce_source"] == f"urn:parvandeh:log:{fact.log_id}".encode()
    assert {"ce_id", "ce_time", "content-type"} <= set(headers)


REQUIRED = {"id": "ce_id", "source": "ce_source", "specversion": "ce_specversion", "type": "ce_type", "subject": "ce_subject",
            "time": "ce_time", "datacontenttype": "content-type"}  # fmt: skip
"""The attributes of CloudEvents that every message of ours has, and the header of each in binary content mode."""


def test_the_wire_the_asyncapi_document_and_cloudevents_agree_on_names_and_on_the_binary_mode() -> None:
    headers = dict(encode(facts()[0]))
    assert set(REQUIRED.values()) <= set(headers) & (set(HEADERS) - OPTIONAL)
    assert not headers["content-type"].startswith(b"application/cloudevents")  # that prefix would say structured mode
    for name in {*headers, *HEADERS} - {"content-type", "traceparent"}:
        assert re.fullmatch(r"ce_[a-z0-9]{1,20}", name), name
    (_, message), *_ = json.loads(asyncapi_text())["components"]["messages"].items()
    assert message["contentType"] == headers["content-type"].decode() == HEADERS["content-type"]["const"]
    (channel,) = json.loads(asyncapi_text())["channels"].values()
    kafka = channel["bindings"]["kafka"]
    assert (kafka["topic"], kafka["partitions"]) == (TOPIC, PARTITIONS)
    assert kafka["topicConfiguration"]["retention.ms"] == RETENTION_DAYS * 86_400_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b"1:0:2"),
        ("ce_source", b"urn:parvandeh:log:another"),
        ("ce_time", b"2020-01-01T00:00:00.000000Z"),
        ("content-type", b"application/cloudevents+json"),
        ("content-type", b"text/plain"),
    ],
)
def test_an_attribute_that_says_otherwise_than_the_fact_is_refused(name: str, value: bytes) -> None:
    fact = facts()[0]
    with pytest.raises(Unreadable, match=name):
        decode([(each, value if each == name else content) for each, content in encode(fact)], fact.body)
    with pytest.raises(Unreadable, match=name):
        decode([each for each in encode(fact) if each[0] != name], fact.body)


def test_the_trace_goes_with_the_message_and_a_malformed_one_does_not() -> None:
    fact = replace(facts()[0], meta=b'{"traceparent":"%s"}' % TRACE.encode())
    assert dict(encode(fact))["traceparent"] == TRACE.encode()
    for meta in (b"", b"[]", b'{"traceparent":"x"}', b'{"traceparent":3}', b"\xff"):
        assert traceparent_of(replace(fact, meta=meta)) is None


@pytest.mark.parametrize("name", ["ce_logid", "ce_epoch", "ce_shard", "ce_seq", "ce_subject", "ce_type", "ce_link", "ce_prev"])
@pytest.mark.parametrize("value", [None, b"\xff\xfe", b""])
def test_a_missing_null_or_damaged_header_is_named(name: str, value: bytes | None) -> None:
    fact = facts()[0]
    damaged = [(each, value if each == name else content) for each, content in encode(fact)]
    with pytest.raises(Unreadable, match=name):
        decode(damaged, fact.body)
    with pytest.raises(Unreadable, match=name):
        decode([each for each in damaged if each[0] != name], fact.body)


def test_a_shard_beyond_the_last_and_a_null_value_are_refused() -> None:
    fact = facts()[0]
    with pytest.raises(Unreadable, match="ce_shard"):
        decode([(n, b"64" if n == "ce_shard" else v) for n, v in encode(fact)], fact.body)
    with pytest.raises(Unreadable, match="value"):
        decode(encode(fact), None)

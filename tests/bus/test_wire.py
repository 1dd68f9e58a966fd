"""A fact survives the way over Kafka byte for byte, and a message that is none is named as such."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caselog.chain import link_of
from chassis.bus.wire import Unreadable, headers_of, read, traceparent_of
from tests.caselog.vectors import facts

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_is_sent_is_what_is_read_and_the_link_can_be_recomputed() -> None:
    for fact in facts():
        for sent in (fact, replace(fact, cause="ab" * 32)):
            received = read(headers_of(sent), sent.body)
            assert received == sent
            assert link_of(received) == link_of(sent)


def test_the_headers_are_a_cloudevent_in_binary_mode() -> None:
    fact = facts()[0]
    headers = dict(headers_of(fact))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == fact.type.encode()
    assert headers["ce_source"] == f"urn:parvandeh:log:{fact.log_id}".encode()
    assert {"ce_id", "ce_time", "content-type"} <= set(headers)


def test_the_trace_goes_with_the_message_and_a_malformed_one_does_not() -> None:
    fact = replace(facts()[0], meta=b'{"traceparent":"%s"}' % TRACE.encode())
    assert dict(headers_of(fact))["traceparent"] == TRACE.encode()
    for meta in (b"", b"[]", b'{"traceparent":"x"}', b'{"traceparent":3}', b"\xff"):
        assert traceparent_of(replace(fact, meta=meta)) is None


@pytest.mark.parametrize("name", ["ce_logid", "ce_epoch", "ce_shard", "ce_seq", "ce_subject", "ce_type", "ce_link", "ce_prev"])
@pytest.mark.parametrize("value", [None, b"\xff\xfe", b""])
def test_a_missing_null_or_damaged_header_is_named(name: str, value: bytes | None) -> None:
    fact = facts()[0]
    damaged = [(each, value if each == name else content) for each, content in headers_of(fact)]
    with pytest.raises(Unreadable, match=name):
        read(damaged, fact.body)
    with pytest.raises(Unreadable, match=name):
        read([each for each in damaged if each[0] != name], fact.body)


def test_a_shard_beyond_the_last_and_a_null_value_are_refused() -> None:
    fact = facts()[0]
    with pytest.raises(Unreadable, match="ce_shard"):
        read([(n, b"64" if n == "ce_shard" else v) for n, v in headers_of(fact)], fact.body)
    with pytest.raises(Unreadable, match="value"):
        read(headers_of(fact), None)

"""A fact as a Kafka message: CloudEvents 1.0, Kafka binding in binary mode, and everything that the link hash binds.

The value is the fact's exact stored bytes. Header names are CloudEvents attributes (`ce_` in front); ours are extensions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from caselog.chain import microseconds
from schemas.envelope import SHARDS, RecordedFact

Headers = list[tuple[str, bytes]]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Unreadable(Exception):
    """A message that is no fact of ours; the text names the header, never its content."""


def encode(fact: RecordedFact) -> Headers:
    """The headers of the message that carries `fact`; one list, written out, since the relay does this for every fact."""
    headers = [
        *_redundant(fact),
        ("ce_type", fact.type.encode()),
        ("ce_subject", fact.stream.encode()),
        ("ce_logid", fact.log_id.encode()),
        ("ce_epoch", b"%d" % fact.epoch),
        ("ce_shard", b"%d" % fact.shard),
        ("ce_seq", b"%d" % fact.seq),
        ("ce_version", b"%d" % fact.version),
        ("ce_typeversion", b"%d" % fact.type_version),
        ("ce_microseconds", b"%d" % microseconds(fact.recorded_at)),
        ("ce_actor", fact.actor.encode()),
        ("ce_command", fact.command.hex().encode()),
        ("ce_ordinal", b"%d" % fact.ordinal),
        ("ce_request", fact.request.hex().encode()),
        ("ce_prev", fact.prev.hex().encode()),
        ("ce_link", fact.link.hex().encode()),
        ("ce_meta", fact.meta),
    ]
    if fact.cause is not None:
        headers.append(("ce_cause", fact.cause.encode()))
    if trace := traceparent_of(fact):
        headers.append(("traceparent", trace.encode()))
    return headers


def _redundant(fact: RecordedFact) -> Headers:
    """The attributes of CloudEvents that only repeat, in its own form, what other headers say exactly."""
    time = fact.recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%d:%d:%d" % (fact.epoch, fact.shard, fact.seq)),
        ("ce_source", b"urn:parvandeh:log:" + fact.log_id.encode()),
        ("ce_time", time.encode()),
        # In binary mode the header content-type is the attribute datacontenttype (CloudEvents, Kafka binding 3.2.1); one
        # that begins with application/cloudevents would be the structured mode, which nobody here sends.
        ("content-type", b"application/json"),
    ]


def traceparent_of(fact: RecordedFact) -> str | None:
    """The W3C trace context under which the fact was appended, when there is a well-formed one."""
    try:
        found = orjson.loads(fact.meta).get("traceparent")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return found if isinstance(found, str) and _TRACEPARENT.fullmatch(found) else None


def decode(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> RecordedFact:
    """The fact that a message claims to carry; its link is not checked here. Raises Unreadable."""
    found = dict(headers)
    if value is None:
        raise Unreadable("value")
    fact = _fact(found, value)
    for name, said in _redundant(fact):
        # The link does not bind these: an outside consumer that knows nothing but CloudEvents must not be told otherwise.
        if found.get(name) != said:
            raise Unreadable(name)
    return fact


def _fact(found: dict[str, bytes | None], value: bytes) -> RecordedFact:
    return RecordedFact(
        log_id=_text(found, "ce_logid"),
        epoch=_number(found, "ce_epoch"),
        shard=_number(found, "ce_shard", below=SHARDS),
        seq=_number(found, "ce_seq"),
        stream=_text(found, "ce_subject"),
        version=_number(found, "ce_version"),
        type=_text(found, "ce_type"),
        type_version=_number(found, "ce_typeversion", below=1 << 15),
        recorded_at=_EPOCH + timedelta(microseconds=_number(found, "ce_microseconds", below=1 << 57)),
        actor=_text(found, "ce_actor"),
        cause=_text(found, "ce_cause") if "ce_cause" in found else None,
        command=_hash(found, "ce_command"),
        ordinal=_number(found, "ce_ordinal", below=64),
        request=_hash(found, "ce_request"),
        meta=found.get("ce_meta") or b"",
        body=value,
        prev=_hash(found, "ce_prev"),
        link=_hash(found, "ce_link"),
    )


def _text(found: dict[str, bytes | None], name: str) -> str:
    try:
        return (found.get(name) or b"\xff").decode()
    except UnicodeDecodeError:
        raise Unreadable(name) from None


def _number(found: dict[str, bytes | None], name: str, below: int = 1 << 31) -> int:
    text = _text(found, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) < below):
        raise Unreadable(name)
    return int(text)


def _hash(found: dict[str, bytes | None], name: str) -> bytes:
    text = _text(found, name)
    if not _HEX.fullmatch(text):
        raise Unreadable(name)
    return bytes.fromhex(text)

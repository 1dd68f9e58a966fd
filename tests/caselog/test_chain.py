"""The chain's bytes: the page, the vectors, Python and SQL all say the same."""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from caselog.chain import compute_link, microseconds
from caselog.receipt import decoded, is_genuine, sign
from caselog.verify import Clean, ShardCheck
from schemas.envelope import Position, RecordedFact, shard_of
from tests.caselog import vectors
from tests.databases import Databases


def _by_the_page(v: dict[str, Any]) -> bytes:
    """docs/log-format.md, word by word, sharing no code with caselog."""
    out = b"parvandeh.fact" + b"\x01" + uuid.UUID(v["log_id"]).bytes
    out += struct.pack(">i", v["epoch"]) + struct.pack(">h", v["shard"]) + struct.pack(">q", v["seq"])
    out += struct.pack(">i", v["version"]) + struct.pack(">h", v["type_version"])
    out += struct.pack(">q", v["microseconds"]) + struct.pack(">h", v["ordinal"])
    out += bytes.fromhex(v["command"]) + bytes.fromhex(v["request"])
    out += hashlib.sha256(bytes.fromhex(v["meta"])).digest() + hashlib.sha256(bytes.fromhex(v["body"])).digest()
    out += bytes.fromhex(v["prev"])
    for name in ("stream", "type", "actor", "cause"):
        out += b"\xff\xff\xff\xff" if v[name] is None else struct.pack(">i", len(v[name].encode())) + v[name].encode()
    return out


def test_the_committed_vectors_are_what_the_code_makes() -> None:
    assert vectors.FILE.read_text(encoding="utf-8") == vectors.text()


def test_the_vectors_follow_from_the_page_alone() -> None:
    committed = json.loads(vectors.FILE.read_text(encoding="utf-8"))
    assert len(committed) >= 20
    assert len({v["stream"] for v in committed}) == 3
    assert len({v["shard"] for v in committed}) >= 2
    heads: dict[int, str] = {}
    for v in committed:
        assert _by_the_page(v).hex() == v["preimage"]
        assert hashlib.sha256(_by_the_page(v)).hexdigest() == v["link"]
        assert v["prev"] == heads.get(v["shard"], "00" * 32)
        assert v["shard"] == hashlib.sha256(v["stream"].encode()).digest()[0] % 64
        heads[v["shard"]] = v["link"]


async def test_sql_gives_the_links_of_the_vectors(databases: Databases) -> None:
    connection = await databases.connect("caselog", "owner")
    try:
        for fact in vectors.facts():
            made = await connection.fetchval(
                "SELECT log.link_of($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)",
                uuid.UUID(fact.log_id), fact.epoch, fact.shard, fact.seq, fact.version, fact.type_version, fact.recorded_at,
                fact.ordinal, fact.command, fact.request, fact.meta, fact.body,
                fact.prev, fact.stream, fact.type, fact.actor, fact.cause,
            )  # fmt: skip
            assert made == fact.link
    finally:
        await connection.close()


def test_the_vectors_verify_shard_by_shard() -> None:
    for shard in {fact.shard for fact in vectors.facts()}:
        check = ShardCheck(shard)
        assert check.page([fact for fact in vectors.facts() if fact.shard == shard]) is None
        assert isinstance(check.clean(), Clean)


_OTHER: dict[str, Any] = {
    "log_id": str(uuid.UUID(int=1)),
    "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
    "cause": "another",
    **dict.fromkeys(("command", "request", "prev"), bytes([7]) * 32),
    **dict.fromkeys(("meta", "body"), b"other"),
}


@pytest.mark.parametrize("name", [field.name for field in fields(RecordedFact) if field.name != "link"])
def test_the_link_binds_every_value_of_the_envelope(name: str) -> None:
    fact = vectors.facts()[0]
    value = getattr(fact, name)
    other = _OTHER.get(name, value + 1 if isinstance(value, int) else f"{value}x")
    assert compute_link(replace(fact, **{name: other})) != fact.link


@given(st.text(max_size=30), st.text(max_size=30), st.one_of(st.none(), st.text(max_size=30)))
def test_no_shift_between_neighbouring_texts_gives_the_same_link(stream: str, actor: str, cause: str | None) -> None:
    fact = replace(vectors.facts()[0], stream=stream, actor=actor, cause=cause)
    shifted = replace(fact, stream=stream + "a", type=fact.type[1:])
    assert compute_link(fact) != compute_link(shifted)
    assert compute_link(replace(fact, cause=None)) != compute_link(replace(fact, cause=""))


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_microseconds_are_exact(naive: datetime) -> None:
    at = naive.replace(tzinfo=UTC)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(at)) == at


def test_a_receipt_is_genuine_only_as_it_was_signed() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    fact = vectors.facts()[3]
    receipt = sign(
        key, log_id=fact.log_id, epoch=fact.epoch, position=fact.position, link=fact.link, recorded_at=fact.recorded_at
    )
    assert is_genuine(key.public_key(), receipt)
    forgeries = [
        replace(receipt, position=Position(fact.shard, fact.seq + 1)),
        replace(receipt, link=bytes(32)),
        replace(receipt, recorded_at=fact.recorded_at + timedelta(microseconds=1)),
        replace(receipt, epoch=9),
        replace(receipt, log_id=str(uuid.UUID(int=2))),
        replace(receipt, signature=bytes(64)),
    ]
    assert not any(is_genuine(key.public_key(), forged) for forged in forgeries)
    words = receipt.text().split(" ")
    assert (words[2], decoded(words[4]), decoded(words[5])) == (str(fact.position), fact.link, receipt.signature)


@pytest.mark.parametrize("text", ["", "1", "64:1", "-1:1", "1:x", "a:1", "1:٢", "1:1:1"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="shard:seq"):
        Position.parse(text)


@given(st.text(max_size=40))
def test_a_stream_has_one_shard(stream: str) -> None:
    assert shard_of(stream) == hashlib.sha256(stream.encode()).digest()[0] % 64

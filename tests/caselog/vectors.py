"""Makes schemas/vectors/log.json: a small log with fixed bytes. `python -m tests.caselog.vectors` writes it."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from caselog.chain import ZERO_LINK, compute_link, microseconds, preimage
from schemas.envelope import RecordedFact, shard_of

FILE: Final = Path(__file__).parents[2] / "schemas" / "vectors" / "log.json"
LOG_ID: Final = "0192f0c1-7d2a-7c3e-9b1f-2a4c6e8f0a1b"
STREAMS: Final = ("case:kerman-1", "case:kerman-2", "office:bam-7")
START: Final = datetime(2025, 10, 14, 4, 30, tzinfo=UTC)


def facts() -> list[RecordedFact]:
    """24 facts over three streams, with absent and present causes, empty bodies, Persian text and a second epoch."""
    made: list[RecordedFact] = []
    heads: dict[int, RecordedFact] = {}
    versions: dict[str, int] = {}
    for number in range(24):
        stream = STREAMS[number % 3]
        shard = shard_of(stream)
        before = heads.get(shard)
        versions[stream] = versions.get(stream, 0) + 1
        body = b"" if number == 5 else f'{{"reason":"دلیل شمارهٔ {number}"}}'.encode()
        fact = RecordedFact(
            log_id=LOG_ID,
            epoch=1 if number < 18 else 2,
            shard=shard,
            seq=before.seq + 1 if before else 1,
            stream=stream,
            version=versions[stream],
            type="office.registered" if stream.startswith("office") else "case.withdrawn",
            type_version=1,
            recorded_at=START + timedelta(seconds=number, microseconds=number * 7),
            actor="citizen:k7m2" if number % 2 else "system:intake",
            cause=None if number % 2 else hashlib.sha256(f"cause {number}".encode()).hexdigest(),
            command=hashlib.sha256(f"command {number}".encode()).digest(),
            ordinal=0,
            request=hashlib.sha256(f"request {number}".encode()).digest(),
            meta=b"{}" if number % 3 else b'{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
            body=body,
            prev=before.link if before else ZERO_LINK,
            link=b"",
        )
        heads[shard] = replace(fact, link=compute_link(fact))
        made.append(heads[shard])
    return made


def as_json(fact: RecordedFact) -> dict[str, Any]:
    """One vector: bytes as hex, time in microseconds, the preimage spelt out."""
    return {
        "log_id": fact.log_id,
        "epoch": fact.epoch,
        "shard": fact.shard,
        "seq": fact.seq,
        "stream": fact.stream,
        "version": fact.version,
        "type": fact.type,
        "type_version": fact.type_version,
        "microseconds": microseconds(fact.recorded_at),
        "actor": fact.actor,
        "cause": fact.cause,
        "command": fact.command.hex(),
        "ordinal": fact.ordinal,
        "request": fact.request.hex(),
        "meta": fact.meta.hex(),
        "body": fact.body.hex(),
        "prev": fact.prev.hex(),
        "preimage": preimage(fact, uuid.UUID(fact.log_id).bytes).hex(),
        "link": fact.link.hex(),
    }


def text() -> str:
    """The vectors as the file holds them."""
    return json.dumps([as_json(fact) for fact in facts()], indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

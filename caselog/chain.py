"""The chain: the bytes that a link hash covers (docs/log-format.md). Pure.

Every variable-length value is length-prefixed and everything else has a fixed width, so that no two different facts have
one preimage. The SQL of the append function builds the same bytes; `tests/caselog` holds the two together.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final

from schemas.envelope import RecordedFact

DOMAIN: Final = b"parvandeh.fact\x01"
"""Domain separation and, in its last byte, the algorithm id: 1 is SHA-256."""
ZERO_LINK: Final = bytes(32)
"""The previous link of a shard's first fact."""

_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED: Final = struct.Struct(">ihqihqh")
_LENGTH: Final = struct.Struct(">i")
_ABSENT: Final = _LENGTH.pack(-1)


def microseconds(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z, exactly."""
    since = at - _UNIX
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def preimage(fact: RecordedFact, log_id: bytes) -> bytes:
    """The bytes whose SHA-256 is the link of `fact`; `log_id` is the log's UUID as 16 bytes."""
    return b"".join(
        (
            DOMAIN,
            log_id,
            _FIXED.pack(
                fact.epoch, fact.shard, fact.seq, fact.version, fact.type_version, microseconds(fact.recorded_at), fact.ordinal
            ),
            fact.command,
            fact.request,
            hashlib.sha256(fact.meta).digest(),
            hashlib.sha256(fact.body).digest(),
            fact.prev,
            _prefixed(fact.stream),
            _prefixed(fact.type),
            _prefixed(fact.actor),
            _ABSENT if fact.cause is None else _prefixed(fact.cause),
        )
    )


@lru_cache(maxsize=4096)
def _prefixed(text: str) -> bytes:
    """UTF-8 after its length; cached, since neighbouring facts share stream, type and actor."""
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def compute_link(fact: RecordedFact) -> bytes:
    """The link hash of `fact`, recomputed from the values and bytes that it carries (its own `link` is ignored)."""
    return hashlib.sha256(preimage(fact, _log_bytes(fact.log_id))).digest()


@cache
def _log_bytes(log_id: str) -> bytes:
    """A process knows one log, or a few in a test."""
    return uuid.UUID(log_id).bytes

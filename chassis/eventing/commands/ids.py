"""Command ids and request hashes: how a repetition is recognised, for as long as the log is kept (design.md section 3).

Each part is length-prefixed, so that two different sets of parts can never give the same bytes. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final

import rfc8785

NEW: Final = "new"
"""Stands for the stream of a command that begins one."""


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def http_command(service: str, principal: str, route: str, stream: str, idempotency_key: str) -> bytes:
    """The id (32 bytes) of a command that a person sends: `stream` is `NEW` when it begins one."""
    return _digest(*(part.encode() for part in ("http", service, principal, route, stream, idempotency_key)))


def agenda_command(service: str, reaction: str, cause: bytes, ordinal: int) -> bytes:
    """The id (32 bytes) of a command that the agenda carries out: `cause` is the link of the fact that caused it."""
    return _digest(b"agenda", service.encode(), reaction.encode(), cause, str(ordinal).encode())


def case_id_of(command: bytes) -> str:
    """The id of the case that a command begins: a late repeat then meets version 1, never a second case.

    26 letters and digits (RFC 4648 base32, lower case) of the first 16 bytes.
    """
    return base64.b32encode(command[:16]).decode().rstrip("=").lower()


def request_hash(service_key: bytes, kind: str, values: dict[str, Any]) -> bytes:
    """HMAC-SHA-256 of the canonical command (RFC 8785), made before deciding and sealing.

    Keyed, since a plain hash of a request that holds a national code can be guessed.
    """
    return hmac.digest(service_key, kind.encode() + b"\0" + rfc8785.dumps(values), "sha256")

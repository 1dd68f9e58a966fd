"""A box: AES-256-GCM over padded JSON, bound to its place in the log by associated data. Pure but for the nonce."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

STEP: Final = 64
"""Plaintext is padded to multiples of this many bytes, so that a box tells little of the length of a name."""
_DOMAIN: Final = b"parvandeh.box\x01"
_NONCE: Final = 12


class BoxDamaged(Exception):
    """The box was changed, moved to another place, or sealed with another key."""


def associated_data(log_id: str, stream: str, command: bytes, ordinal: int, path: str) -> bytes:
    """The associated data of a box: its place in the log, each part length-prefixed."""
    parts = (log_id.encode(), stream.encode(), command, str(ordinal).encode(), path.encode())
    return _DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal(secret: bytes, value: dict[str, Any], where: bytes) -> str:
    """The box of `value` (base64url without padding) for the place `where`."""
    content = orjson.dumps(value)
    padded = len(content).to_bytes(4, "big") + content
    padded += bytes(-len(padded) % STEP)
    nonce = secrets.token_bytes(_NONCE)
    return urlsafe_b64encode(nonce + AESGCM(secret).encrypt(nonce, padded, where)).rstrip(b"=").decode()


def unseal(secret: bytes, box: str, where: bytes) -> dict[str, Any]:
    """The value of a box. Raises BoxDamaged."""
    try:
        raw = urlsafe_b64decode(box + "=" * (-len(box) % 4))
        padded = AESGCM(secret).decrypt(raw[:_NONCE], raw[_NONCE:], where)
        value: dict[str, Any] = orjson.loads(padded[4 : 4 + int.from_bytes(padded[:4], "big")])
    except (InvalidTag, ValueError) as error:
        raise BoxDamaged(type(error).__name__) from None
    return value

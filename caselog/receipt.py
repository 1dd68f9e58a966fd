"""The citizen's receipt: position, hash and time, signed, since an unsigned one proves nothing (design.md section 3)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from caselog.chain import microseconds
from schemas.envelope import Position

_DOMAIN: Final = b"parvandeh.receipt\x01"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the log holds of one accepted request, as the applicant can keep it."""

    log_id: str
    epoch: int
    position: Position
    link: bytes
    recorded_at: datetime
    signature: bytes

    def text(self) -> str:
        """The receipt as one line: log id, epoch, position, time in microseconds, link, signature (RFC 4648 base64url)."""
        values = (
            self.log_id,
            str(self.epoch),
            str(self.position),
            str(microseconds(self.recorded_at)),
            _encoded(self.link),
            _encoded(self.signature),
        )
        return " ".join(values)


def _message(log_id: str, epoch: int, position: Position, link: bytes, recorded_at: datetime) -> bytes:
    return _DOMAIN + f"{log_id} {epoch} {position} {microseconds(recorded_at)} ".encode() + link


def sign(key: Ed25519PrivateKey, *, log_id: str, epoch: int, position: Position, link: bytes, recorded_at: datetime) -> Receipt:
    """The signed receipt (Ed25519, RFC 8032) of the fact at `position`."""
    signature = key.sign(_message(log_id, epoch, position, link, recorded_at))
    return Receipt(log_id, epoch, position, link, recorded_at, signature)


def is_genuine(key: Ed25519PublicKey, receipt: Receipt) -> bool:
    """Whether the holder of the private key signed exactly this receipt."""
    message = _message(receipt.log_id, receipt.epoch, receipt.position, receipt.link, receipt.recorded_at)
    try:
        key.verify(receipt.signature, message)
    except InvalidSignature:
        return False
    return True


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of one base64url value of a receipt; raises ValueError when it is none."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

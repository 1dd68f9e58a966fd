"""The witnesses as review asks them: pinned keys, and a signature that is checked before it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chassis.eventing.agenda.worker import RetryLater
from schemas.draws import fingerprint, is_genuine
from schemas.envelope import Position
from schemas.facts.review import WitnessKey, WitnessSignature

SECONDS: Final = 10.0


class WitnessUnavailable(RetryLater):
    """A witness does not answer, or not yet: the draw waits, visibly, and never falls back."""


class WitnessRefused(Exception):
    """A witness refuses to sign this draw; the code says why."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__(f"{name}: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class WitnessEntry:
    """One line of witnesses.json."""

    name: str
    url: str
    public_key: RSAPublicKey
    demonstration: bool
    """A witness of this very installation: named a demonstration on the pages."""

    @property
    def key(self) -> WitnessKey:
        """As it stands in `draw.committed`."""
        return WitnessKey(name=self.name, fingerprint=fingerprint(self.public_key))


def load(path: Path) -> tuple[WitnessEntry, ...]:
    """The witnesses of witnesses.json: a list of {name, url, public_key (PEM), demonstration}. Raises ValueError."""
    entries = []
    for each in orjson.loads(path.read_bytes()):
        key = load_pem_public_key(each["public_key"].encode())
        if not isinstance(key, RSAPublicKey) or key.key_size < 3072:
            raise ValueError(f"witness {each['name']}: an RSA key of at least 3072 bits is needed")
        entries.append(WitnessEntry(each["name"], each["url"].rstrip("/"), key, bool(each["demonstration"])))
    return tuple(entries)


def keys_by_fingerprint(entries: tuple[WitnessEntry, ...]) -> dict[str, RSAPublicKey]:
    """The pinned keys, as the recomputation of a draw wants them."""
    return {fingerprint(entry.public_key): entry.public_key for entry in entries}


async def signature(entry: WitnessEntry, *, stream: str, position: Position, link: bytes) -> WitnessSignature:
    """The witness' signature over the commitment at `position`.

    Raises WitnessUnavailable (try again), WitnessRefused.
    """
    body = {"stream": stream, "position": str(position), "link": link.hex()}
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(f"{entry.url}/sign", json=body)
    except httpx2.HTTPError as error:
        raise WitnessUnavailable(type(error).__name__) from None
    if answer.status_code >= 500 or answer.status_code in (404, 425, 429):
        raise WitnessUnavailable(str(answer.status_code))
    try:
        content = answer.json()
        if answer.status_code != 200:
            raise WitnessRefused(entry.name, str(content["type"]).rpartition(":")[2])
        signed = WitnessSignature(**content)
    except (ValueError, KeyError, TypeError):
        raise WitnessUnavailable("answer not understood") from None
    if not is_genuine(entry.public_key, signed, link):
        raise WitnessRefused(entry.name, "wrong_signature")
    return signed

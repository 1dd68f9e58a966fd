"""The witnesses of draws by their pinned keys, as review asks them and as anyone checks what they signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from schemas.draws import fingerprint
from schemas.facts.review import WitnessKey


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
        """The key as `draw.committed` holds it."""
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

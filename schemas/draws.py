"""The draw of a reviewer: a seed that nobody could choose, and a result that anyone can recompute (design.md section 6). Pure.

`draw.committed` fixes the pool; each witness signs its link hash with RSASSA-PKCS1-v1_5 (RFC 8017), which has exactly one
valid signature for a key and message; the seed is a hash of commitment and signatures; rejection sampling draws by weight.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.facts.review import AssignmentRefused, Candidate, DrawCommitted, DrawMade, WitnessSignature

CODE_VERSION: Final = 1
_SEED: Final = b"parvandeh.draw.seed\x01"
_SAMPLE: Final = b"parvandeh.draw.sample\x01"


def fingerprint(key: RSAPublicKey) -> str:
    """SHA-256 of the key's DER SubjectPublicKeyInfo, hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(key: RSAPrivateKey, name: str, commitment: bytes) -> WitnessSignature:
    """A witness' signature over the link hash of `draw.committed`; the same for the same key and commitment, always."""
    signature = key.sign(commitment, PKCS1v15(), SHA256())
    encoded = urlsafe_b64encode(signature).rstrip(b"=").decode()
    return WitnessSignature(name=name, fingerprint=fingerprint(key.public_key()), signature=encoded)


def is_genuine(key: RSAPublicKey, signature: WitnessSignature, commitment: bytes) -> bool:
    """Whether the holder of `key` signed `commitment`."""
    try:
        key.verify(_bytes(signature.signature), commitment, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return fingerprint(key) == signature.fingerprint


def seed(commitment: bytes, signatures: Sequence[WitnessSignature]) -> bytes:
    """SHA-256(domain, commitment, signatures), the signatures by fingerprint, each part length-prefixed."""
    parts = [commitment, *(_bytes(each.signature) for each in sorted(signatures, key=lambda each: each.fingerprint))]
    return hashlib.sha256(_SEED + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def drawn(pool: Sequence[Candidate], from_seed: bytes) -> str:
    """The alias drawn by weight. Raises ValueError for an empty pool or a weight below one."""
    if not pool or any(candidate.weight < 1 for candidate in pool):
        raise ValueError("a pool has at least one candidate, and every weight is at least one")
    total = sum(candidate.weight for candidate in pool)
    limit = (1 << 64) - (1 << 64) % total
    # Numbers at or above the limit are thrown away: taking them modulo the total would favour the first candidates.
    number = next(each for each in _numbers(from_seed) if each < limit) % total
    for candidate in pool:
        if number < candidate.weight:
            return candidate.alias
        number -= candidate.weight
    raise AssertionError("the weights sum up to the total")


def _numbers(from_seed: bytes) -> Iterator[int]:
    counter = 0
    while True:
        yield int.from_bytes(hashlib.sha256(_SAMPLE + from_seed + counter.to_bytes(8, "big")).digest()[:8], "big")
        counter += 1


def odds(pool: Sequence[Candidate]) -> dict[str, Fraction]:
    """Each candidate's chance."""
    total = sum(candidate.weight for candidate in pool)
    return {candidate.alias: Fraction(candidate.weight, total) for candidate in pool}


def faults(committed: DrawCommitted, link: bytes, made: DrawMade, keys: Mapping[str, RSAPublicKey]) -> list[str]:
    """The faults of a draw, as codes; empty when it is valid. `keys`: the pinned witness keys by fingerprint."""
    found = []
    if (committed.stage, committed.round) != (made.stage, made.round):
        found.append("other_stage_or_round")
    if committed.code_version != CODE_VERSION:
        found.append("unknown_code_version")
    if made.commitment != link.hex():
        found.append("other_commitment")
    named, signed = [each.fingerprint for each in committed.witnesses], [each.fingerprint for each in made.signatures]
    if not named or len(set(named)) != len(named) or sorted(named) != sorted(signed):
        found.append("signatures_do_not_match_witnesses")
    for signature in made.signatures:
        key = keys.get(signature.fingerprint)
        if key is None:
            found.append(f"unknown_witness {signature.name}")
        elif not is_genuine(key, signature, link):
            found.append(f"wrong_signature {signature.name}")
    aliases = [candidate.alias for candidate in committed.pool]
    if len(set(aliases)) != len(aliases):
        found.append("candidate_twice")
    expected = seed(link, made.signatures)
    if made.seed != expected.hex():
        found.append("wrong_seed")
    try:
        if made.drawn != drawn(committed.pool, expected):
            found.append("wrong_candidate")
    except ValueError:
        found.append("bad_pool")
    return found


@dataclass(frozen=True, slots=True)
class DrawCheck:
    """One draw of a case, recomputed."""

    stage: str
    round: int
    committed: DrawCommitted
    link: bytes
    made: DrawMade | None
    """None while a witness' signature is missing: a draw is delayed visibly and never falls back."""
    faults: tuple[str, ...]


def recompute(facts: Iterable[tuple[object, bytes]], keys: Mapping[str, RSAPublicKey]) -> list[DrawCheck]:
    """Every draw in a case's facts (fact and link, in order), and whether each round followed a refusal of the one before."""
    commitments: dict[tuple[str, int], tuple[DrawCommitted, bytes, list[str]]] = {}
    made: dict[tuple[str, int], DrawMade] = {}
    refused: set[tuple[str, int]] = set()
    stray: list[str] = []
    for fact, link in facts:
        match fact:
            case DrawCommitted():
                _commit(commitments, refused, fact, link)
            case DrawMade():
                key = (fact.stage, fact.round)
                if key not in commitments or key in made:
                    stray.append(f"draw_without_commitment {fact.stage} {fact.round}")
                made.setdefault(key, fact)
            case AssignmentRefused():
                refused.add((fact.stage, fact.round))
    checks = []
    for (stage, round_), (committed, link, found) in commitments.items():
        draw = made.get((stage, round_))
        wrong = [*found, *stray, *(faults(committed, link, draw, keys) if draw else [])]
        checks.append(DrawCheck(stage, round_, committed, link, draw, tuple(wrong)))
    return checks


def _commit(
    commitments: dict[tuple[str, int], tuple[DrawCommitted, bytes, list[str]]],
    refused: set[tuple[str, int]],
    fact: DrawCommitted,
    link: bytes,
) -> None:
    key = (fact.stage, fact.round)
    if key in commitments:
        commitments[key][2].append("committed_twice")
        return
    found = [] if fact.round == 1 or (fact.stage, fact.round - 1) in refused else ["round_without_refusal"]
    commitments[key] = (fact, link, found)


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

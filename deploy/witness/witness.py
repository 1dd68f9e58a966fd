"""The witness itself: it follows the log, checks the commitment, and signs once per (case, stage, round)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from caselog.chain import compute_link
from caselog.read import LogReader
from chassis.refusal import Refusal
from deploy.witness.memory import Memory
from schemas.draws import sign
from schemas.envelope import Position, RecordedFact
from schemas.facts import decode
from schemas.facts.review import AssignmentRefused, DrawCommitted, WitnessSignature

BITS: Final = 3072
_PAGE: Final = 1000
SIGN_SECONDS: Final = 10.0
"""Limit for one signature, including the wait for earlier ones: by then the caller has given up, and will retry."""


class WontSign(Refusal):
    """The witness does not sign this."""

    code = "wont_sign"


class UnknownPosition(WontSign):
    """There is no fact at this position, or not yet."""

    code = "unknown_position"
    status = 404


class WrongLink(WontSign):
    """The fact at this position is a different one."""

    code = "wrong_link"


class NotACommitment(WontSign):
    """The fact at this position does not commit to a draw."""

    code = "not_a_commitment"


class ChainBroken(WontSign):
    """The log does not continue what this witness has seen of it before."""

    code = "chain_broken"


class SignedAnother(WontSign):
    """This witness has signed another commitment for the same case, stage and round."""

    code = "signed_another"


class RoundWithoutRefusal(WontSign):
    """A further round needs a refusal in the round before."""

    code = "round_without_refusal"


def private_key(path: Path) -> RSAPrivateKey:
    """The witness's key, generated at the first start; only the witness can read its file."""
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, RSAPrivateKey) or key.key_size < BITS:
            raise ValueError(f"{path.name} is no RSA key of {BITS} bits")
        return key
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return key


def public_pem(key: RSAPrivateKey) -> str:
    """The public half for witnesses.json."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Witness:
    """Signs draw commitments of one log."""

    def __init__(self, *, name: str, key: RSAPrivateKey, log: LogReader, memory: Memory) -> None:
        self._name, self._key, self._log, self._memory = name, key, log, memory
        self._one_at_a_time = asyncio.Lock()

    async def signature(self, stream: str, position: Position, link: bytes) -> WitnessSignature:
        """The signature over the commitment at `position` of `stream`. Raises WontSign, TimeoutError."""
        async with asyncio.timeout(SIGN_SECONDS), self._one_at_a_time:
            fact = await self._follow(position)
            if fact.stream != stream or fact.link != link:
                raise WrongLink
            if fact.type != DrawCommitted.TYPE:
                raise NotACommitment
            committed = decode(fact.type, fact.type_version, fact.body)
            if not isinstance(committed, DrawCommitted):
                raise NotACommitment
            await self._after_a_refusal(fact, committed)
            if self._memory.promise(stream, committed.stage, committed.round, link) != link:
                raise SignedAnother
            return await asyncio.to_thread(sign, self._key, self._name, link)

    async def _follow(self, position: Position) -> RecordedFact:
        """Check every link of the shard up to `position`; what was followed once can never be replaced unseen."""
        seq, last = self._memory.mark(position.shard)
        found: RecordedFact | None = None
        while seq < position.seq:
            page = await self._log.shard(position.shard, seq, min(_PAGE, position.seq - seq))
            if not page:
                raise UnknownPosition
            for fact in page:
                if fact.seq != seq + 1 or fact.prev != last or compute_link(fact) != fact.link:
                    raise ChainBroken
                seq, last, found = fact.seq, fact.link, fact
            self._memory.move(position.shard, seq, last)
        if found is None or found.seq != position.seq:
            found = await self._log.at(position)
        if found is None:
            raise UnknownPosition
        if compute_link(found) != found.link:
            raise ChainBroken
        return found

    async def _after_a_refusal(self, fact: RecordedFact, committed: DrawCommitted) -> None:
        if committed.round < 1:
            raise RoundWithoutRefusal
        if committed.round == 1:
            return
        for before in await self._log.stream(fact.stream, until_version=fact.version - 1):
            if before.type == AssignmentRefused.TYPE:
                refused = decode(before.type, before.type_version, before.body)
                if isinstance(refused, AssignmentRefused) and (refused.stage, refused.round + 1) == (
                    committed.stage,
                    committed.round,
                ):
                    return
        raise RoundWithoutRefusal

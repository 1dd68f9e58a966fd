"""A large log of whole cases for the bench, made by the real append function in large batches.

Each case lives the life of a permit; the bodies are the golden samples, filled with spaces to the 400 to 1,500 bytes of real
facts (a space after a JSON value means nothing). A group of cases moves step by step, so that the cases of a shard lie between
each other as they do in a city.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from caselog.append import columns
from caselog.db.queries import Queries
from caselog.outcomes import AppendRequest, NewFact
from caselog.read import SQL_DIRECTORY
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.sealing import associated_data, seal
from schemas.envelope.sealing import DataClass, Sealed
from schemas.facts import FACTS, decode
from schemas.facts.intake import CaseSubmitted
from tests.bench.harness import Bench
from tests.conftest import ROOT
from tests.databases import Databases

SIZES: Final = (400, 600, 800, 1000, 1200, 1500)
LIFE: Final = (
    ("intake", "case.submitted"),
    ("review", "target.set"),
    ("notify", "message.sent message.sent message.sent"),
    ("intake", "papers.opened document.released identity.confirmed"),
    ("notify", "message.sent"),
    ("review", "draw.committed draw.made"),
    ("notify", "message.sent"),
    ("review", "material.opened correction.requested"),
    ("notify", "message.sent message.sent message.sent"),
    ("intake", "correction.answered document.released"),
    ("review", "inquiry.requested"),
    ("inquiry", "inquiry.opened question.opened inquiry.answered"),
    ("notify", "message.sent message.sent"),
    ("review", "case.approved"),
    ("intake", "certificate.issued"),
    ("notify", "message.sent message.sent message.sent"),
)
"""Writer and facts of each command of a case."""
FACTS_A_CASE: Final = sum(len(types.split()) for _, types in LIFE)
GROUP: Final = 1000
"""Cases that are open at the same time."""
COMMANDS_A_CALL: Final = 250


async def fill(bench: Bench, databases: Databases, keys: VaultKeys, facts: int) -> None:
    """A log of at least `facts` facts, and the vault's keys of its cases."""
    cases = -(-facts // FACTS_A_CASE)
    groups = [range(first, min(first + GROUP, cases)) for first in range(0, cases, GROUP)]
    waiting = list(reversed(groups))
    async with databases.reader() as log:
        log_id = (await log.identity()).log_id

    async def work() -> None:
        async with AsyncExitStack() as stack:
            writers = {}
            for role in ("intake", "review", "inquiry", "notify"):
                writers[role] = await databases.connect("caselog", role)
                stack.push_async_callback(writers[role].close)
            while waiting:
                group = waiting.pop()
                await _group(databases, writers, log_id, keys, group)
                if len(waiting) % 5 == 0:
                    bench.say(f"a log of {facts:,} facts: {(group.stop) * FACTS_A_CASE:,}")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(work())
    owner = await databases.connect("caselog", "owner")
    await owner.execute("VACUUM ANALYZE log.facts")
    await owner.close()


async def _group(
    databases: Databases, writers: dict[str, asyncpg.Connection], log_id: str, keys: VaultKeys, numbers: range
) -> None:
    bodies = _Bodies(log_id, keys)
    append = Queries.load(SQL_DIRECTORY / "queries.sql").append
    for step, (writer, types) in enumerate(LIFE):
        commands = [_command(bodies, number, step, types.split()) for number in numbers]
        if step == 0:
            await _keep(databases, bodies.keys)
        for first in range(0, len(commands), COMMANDS_A_CALL):
            rows = await writers[writer].fetch(append, *columns(commands[first : first + COMMANDS_A_CALL]))
            assert all(row["outcome"] == "appended" for row in rows)


def _command(bodies: _Bodies, number: int, step: int, types: Sequence[str]) -> AppendRequest:
    case = hashlib.sha256(f"case {number}".encode()).hexdigest()[:26]
    stream, command = f"case:{case}", hashlib.sha256(f"{number} {step}".encode()).digest()
    meta = b'{"traceparent":"00-%s-%s-01"}' % (command.hex()[:32].encode(), command.hex()[32:48].encode())
    facts = [bodies.fact(name, number + step + n, stream, command, n) for n, name in enumerate(types)]
    return AppendRequest(stream, None, command, command, "reviewer:k7m2q9abcdefg", None, meta, facts)


class _Bodies:
    """The bodies of facts, and the vault's keys that were made for them."""

    def __init__(self, log_id: str, keys: VaultKeys) -> None:
        self._log_id, self._wrapping = log_id, keys.wrapping(DataClass.IDENTITY)
        samples = ROOT / "schemas" / "samples"
        self._samples = {name: (samples / f"{name}.v{fact.VERSION}.json").read_bytes().strip() for name, fact in FACTS.items()}
        self._samples["message.sent"] = self._samples["message.sent"].replace(b'"sms"', b'"inapp"')
        self.keys: list[tuple[Any, ...]] = []

    def fact(self, name: str, number: int, stream: str, command: bytes, ordinal: int) -> NewFact:
        """One fact; what must differ from case to case does."""
        body = self._samples[name]
        if name == "certificate.issued":
            body = body.replace(b"4KX7-92QM", stream.encode()[-26:])
        elif name == "message.sent" and ordinal:
            body = body.replace(b'"inapp"', b'"sms"')  # the first of several is the portal's, as in notify
        elif name == "case.submitted":
            body = self._submitted(body, stream, command)
        return NewFact(name, FACTS[name].VERSION, body.ljust(SIZES[number % len(SIZES)]))

    def _submitted(self, body: bytes, stream: str, command: bytes) -> bytes:
        submitted = decode("case.submitted", CaseSubmitted.VERSION, body)
        assert isinstance(submitted, CaseSubmitted)
        secret, key_id = secrets.token_bytes(32), secrets.token_urlsafe(16)
        box = seal(
            secret, {"national_code": "0012345679", "name": "-"}, associated_data(self._log_id, stream, command, 0, "identity")
        )
        self.keys.append((key_id, stream[5:], "-", "identity", aes_key_wrap(self._wrapping, secret)))
        return submitted.model_copy(update={"identity": Sealed(key=key_id, box=box)}).model_dump_json(exclude_none=True).encode()


async def _keep(databases: Databases, keys: list[tuple[Any, ...]]) -> None:
    owner = await databases.connect("vault", "owner")
    columns = ["key_id", "case_id", "person", "class", "wrapped"]
    await owner.copy_records_to_table("keys", schema_name="vault", columns=columns, records=keys)
    await owner.close()

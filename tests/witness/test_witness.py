"""The witness as a process: it signs once per case, stage and round, and what it followed cannot be replaced unseen."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from caselog.outcomes import Appended, AppendRequest, NewFact
from deploy.local.subprocesses import free_port, listening, wait_until
from schemas.draws import CODE_VERSION
from schemas.envelope import Position
from schemas.envelope.fact import Fact
from schemas.facts import encode
from schemas.facts.review import AssignmentRefused, Candidate, DrawCommitted, WitnessKey
from schemas.witnesses import WitnessEntry
from services.review.witness_client import WitnessRefused, WitnessUnavailable, signature
from tests.conftest import ROOT
from tests.databases import Databases


@contextmanager
def witness(databases: Databases, keys: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PATH": os.environ["PATH"],
        "PARVANDEH_DATABASE_URL": f"postgresql://127.0.0.1:{databases.server.port}",
        "PARVANDEH_DATABASE_PREFIX": databases.prefix,
        "PARVANDEH_READER_PASSWORD": databases.passwords["witness_reader"],
        "PARVANDEH_PORT": str(port),
        "PARVANDEH_KEYS": str(keys),
    }
    child = subprocess.Popen([sys.executable, "-m", "deploy.witness"], env=environment, cwd=ROOT)
    try:
        wait_until(lambda: listening(port) or child.poll() is not None, 30, "the witness' start")
        yield child
    finally:
        child.kill()
        child.wait()


async def entry(port: int) -> WitnessEntry:
    async with httpx2.AsyncClient() as client:
        answer = (await client.get(f"http://127.0.0.1:{port}/key")).json()
    key = load_pem_public_key(answer["public_key"].encode())
    return WitnessEntry(answer["name"], f"http://127.0.0.1:{port}", key, demonstration=True)  # type: ignore[arg-type]


def commitment(round_: int = 1, alias: str = "a") -> DrawCommitted:
    return DrawCommitted(
        stage="technical_review",
        round=round_,
        pool=(Candidate(alias=alias, weight=1), Candidate(alias="b", weight=1)),
        code_version=CODE_VERSION,
        witnesses=(WitnessKey(name="demonstration", fingerprint="00"),),
    )


async def told(databases: Databases, stream: str, *facts: Fact) -> list[tuple[Position, bytes]]:
    async with databases.appender("review") as appender:
        command = hashlib.sha256(repr((stream, facts)).encode()).digest()
        made = [NewFact(fact.TYPE, fact.VERSION, encode(fact)) for fact in facts]
        outcome = await appender.append(AppendRequest(stream, None, command, bytes(32), "system:review", None, b"{}", made))
    assert isinstance(outcome, Appended)
    return [(events.position, events.link) for events in outcome.events]


async def code_of(by: WitnessEntry, stream: str, position: Position, link: bytes) -> str:
    with pytest.raises(WitnessRefused) as refused:
        await signature(by, stream=stream, position=position, link=link)
    return refused.value.code


async def test_it_signs_a_commitment_once_and_the_same_again(databases: Databases, tmp_path: Path) -> None:
    port = free_port()
    with witness(databases, tmp_path, port):
        by = await entry(port)
        ((position, link),) = await told(databases, "case:a", commitment())
        first = await signature(by, stream="case:a", position=position, link=link)
        assert first == await signature(by, stream="case:a", position=position, link=link)
        ((other, other_link),) = await told(databases, "case:a", commitment(alias="friend"))
        assert await code_of(by, "case:a", other, other_link) == "signed_another"


async def test_it_keeps_its_promise_over_kill_9(databases: Databases, tmp_path: Path) -> None:
    port = free_port()
    ((position, link),) = await told(databases, "case:a", commitment())
    ((other, other_link),) = await told(databases, "case:a", commitment(alias="friend"))
    with witness(databases, tmp_path, port) as child:
        by = await entry(port)
        first = await signature(by, stream="case:a", position=position, link=link)
        child.send_signal(signal.SIGKILL)
        child.wait()
        with pytest.raises(WitnessUnavailable):
            await signature(by, stream="case:a", position=position, link=link)
    with witness(databases, tmp_path, port):
        assert await code_of(by, "case:a", other, other_link) == "signed_another"
        assert await signature(by, stream="case:a", position=position, link=link) == first
    assert (tmp_path / "witness.pem").stat().st_mode & 0o777 == 0o600


async def test_of_many_commitments_at_once_exactly_one_is_signed(databases: Databases, tmp_path: Path) -> None:
    port = free_port()
    places = [(await told(databases, "case:a", commitment(alias=f"x{n}")))[0] for n in range(8)]
    with witness(databases, tmp_path, port):
        by = await entry(port)
        answers = await asyncio.gather(
            *(signature(by, stream="case:a", position=position, link=link) for position, link in places), return_exceptions=True
        )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, WitnessRefused)} == {"signed_another"}


async def test_it_refuses_what_is_no_commitment_a_false_link_and_a_round_without_refusal(
    databases: Databases, tmp_path: Path
) -> None:
    port = free_port()
    refusal = AssignmentRefused(stage="technical_review", round=1, reason="relative")
    (_, link), (refused, refused_link) = await told(databases, "case:a", commitment(), refusal)
    ((second, second_link),) = await told(databases, "case:a", commitment(2))
    ((lonely, lonely_link),) = await told(databases, "case:b", commitment(2))
    with witness(databases, tmp_path, port):
        by = await entry(port)
        assert await code_of(by, "case:a", refused, refused_link) == "not_a_commitment"
        assert await code_of(by, "case:a", refused, link) == "wrong_link"
        assert await code_of(by, "case:b", lonely, lonely_link) == "round_without_refusal"
        assert (await signature(by, stream="case:a", position=second, link=second_link)).name == "demonstration"
        with pytest.raises(WitnessUnavailable):
            await signature(by, stream="case:a", position=Position(second.shard, 99), link=second_link)


async def test_it_signs_nothing_on_a_chain_that_was_rewritten(databases: Databases, tmp_path: Path) -> None:
    port = free_port()
    await told(databases, "case:a", commitment())
    ((position, link),) = await told(databases, "case:a", commitment(alias="later"))
    owner = await databases.connect("caselog", "owner")
    await owner.execute("UPDATE log.facts SET actor = 'review:other' WHERE seq = 1")
    await owner.close()
    with witness(databases, tmp_path, port):
        assert await code_of(await entry(port), "case:a", position, link) == "chain_broken"

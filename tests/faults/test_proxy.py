"""The proxy is tested itself: each fault does what it says, and no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import LostReplies, Proxy, proxy


@asynccontextmanager
async def echo(seed: int = 1) -> AsyncIterator[tuple[Proxy, list[bytes]]]:
    """A server that answers each piece with itself, behind a proxy; and what the server heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            heard.append(data)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with proxy(server.sockets[0].getsockname()[1], seed) as wire:
        yield wire, heard
    server.close()


async def say(wire: Proxy, *words: bytes, seconds: float = 1.0) -> list[bytes]:
    """The answers to `words`, one after the other; b"" where the connection ended. Raises TimeoutError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    answers = []
    try:
        for word in words:
            writer.write(word)
            async with asyncio.timeout(seconds):
                answers.append(await reader.read(100))
    except ConnectionError:
        answers.append(b"")
    finally:
        writer.transport.abort()
    return answers


async def test_without_a_fault_all_passes() -> None:
    async with echo() as (wire, heard):
        assert await say(wire, b"one", b"two") == [b"one", b"two"] == heard


async def test_a_delay_holds_each_piece_one_way() -> None:
    async with echo() as (wire, _):
        wire.down.delay = 0.2
        began = time.monotonic()
        assert await say(wire, b"one", b"two", seconds=5) == [b"one", b"two"]
        assert time.monotonic() - began >= 0.4


async def test_a_lost_reply_is_heard_by_the_server_and_ends_the_connection() -> None:
    async with echo() as (wire, heard):
        wire.replies = LostReplies(most=1, to=lambda question: question == b"two")
        assert await say(wire, b"one", b"two") == [b"one", b""]
        assert (heard, wire.replies.lost) == ([b"one", b"two"], 1)
        assert await say(wire, b"two") == [b"two"]  # only one was to be lost


async def test_a_cut_after_so_many_bytes_passes_exactly_those() -> None:
    async with echo() as (wire, heard):
        wire.up.cut_after = 5
        assert b"" in await say(wire, b"123", b"456")
        assert (b"".join(heard), wire.cuts) == (b"12345", 1)


async def test_a_half_open_connection_is_accepted_and_never_answered() -> None:
    async with echo() as (wire, heard):
        wire.half_open = True
        with pytest.raises(TimeoutError):
            await say(wire, b"one", seconds=0.3)
        assert (heard, wire.accepted) == ([], 1)


async def test_what_was_frozen_arrives_after_the_thaw() -> None:
    async with echo() as (wire, heard):
        wire.freeze()
        waits = asyncio.create_task(say(wire, b"one", seconds=10))
        await wire.up.held.wait()
        assert heard == []
        wire.thaw()
        assert await waits == [b"one"]


async def test_what_is_dropped_is_gone_and_nobody_is_told() -> None:
    async with echo() as (wire, heard):
        wire.up.drop = 1.0
        with pytest.raises(TimeoutError):
            await say(wire, b"one", seconds=0.3)
        assert (heard, wire.up.dropped) == ([], 1)


async def test_the_same_seed_loses_the_same_replies() -> None:
    async def lost(seed: int) -> list[list[bytes]]:
        async with echo(seed) as (wire, _):
            wire.replies = LostReplies(chance=0.5)
            return [await say(wire, b"one") for _ in range(12)]

    assert await lost(7) == await lost(7) != await lost(8)

"""A crowd at intake's door, in a process of its own: `python -m tests.bench.filing`, the order as JSON on stdin.

A client of our own on bare asyncio streams: a general one costs more CPU a request than the door, and both share two cores.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson

from chassis.web.csrf import form_token, session_cookie
from tests.bench.samples import NothingMeasured, answer, first_of, sentence

BOUNDARY: Final = "parvandeh-bench"


@dataclass(frozen=True)
class Order:
    """What the crowd is to do."""

    method: str
    port: int
    path: str
    seconds: float
    sessions: tuple[str, ...]
    """One signed-in citizen for each client; empty tokens where nobody signs in."""
    fields: tuple[dict[str, str], ...]
    """The form of each client."""
    papers: dict[str, str]
    """Field -> the bytes of a small PDF, in hex."""
    expect: int


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    done: int
    seconds: float
    cpu: float
    """Seconds of CPU that the crowd itself took."""
    latencies: tuple[float, ...]
    """Seconds from the first byte sent to the last byte received."""


def multipart(fields: dict[str, str], papers: dict[str, bytes]) -> bytes:
    """A form as a browser sends it; `%s` stands where the idempotency key goes."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, content in papers.items():
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.pdf"\r\n'
        parts.append(f"{head}Content-Type: application/pdf\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def _client(order: Order, number: int, end: float, latencies: list[float]) -> None:
    """One person, who asks at least once, however busy the machine is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", order.port)
    before, after = _asking(order) if order.method == "GET" else _filing(order, number)
    try:
        asked = False
        while not asked or time.perf_counter() < end:
            asked, started = True, time.perf_counter()
            writer.write(before + secrets.token_hex(12).encode() + after)
            status = await _answer(reader)
            if status != order.expect:
                raise NothingMeasured(f"{order.path} answered {status}, not {order.expect}")
            latencies.append(time.perf_counter() - started)
    finally:
        writer.close()


def _asking(order: Order) -> tuple[bytes, bytes]:
    """A request without a body, before and after a key that nobody reads."""
    return f"GET {order.path} HTTP/1.1\r\nHost: 127.0.0.1:{order.port}\r\nX-Key: ".encode(), b"\r\n\r\n"


def _filing(order: Order, number: int) -> tuple[bytes, bytes]:
    """The request of one citizen, before and after its idempotency key."""
    session, key = order.sessions[number], "k" * 24
    fields = order.fields[number] | {"_csrf": form_token(session), "_once": key}
    body = multipart(fields, {name: bytes.fromhex(content) for name, content in order.papers.items()})
    before, _, after = body.partition(key.encode())
    head = (
        f"POST {order.path} HTTP/1.1\r\nHost: 127.0.0.1:{order.port}\r\nCookie: {session_cookie('intake')}={session}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    return head + before, after


async def _answer(reader: asyncio.StreamReader) -> int:
    """The status. Raises NothingMeasured when the door hangs up or answers what is no HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
        if length:
            await reader.readexactly(length)
        return int(lines[0].split()[1])
    except (asyncio.IncompleteReadError, ConnectionError):
        raise NothingMeasured("the door hung up in the middle of an answer") from None
    except (ValueError, IndexError):
        raise NothingMeasured("the door answered what is no HTTP") from None


async def crowd(order: Order) -> Outcome:
    """Everybody at once. Raises NothingMeasured when somebody is not answered as the order expects."""
    latencies: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(len(order.sessions)):
                group.create_task(_client(order, number, started + order.seconds, latencies))
    except ExceptionGroup as group:
        if (found := first_of(group, (OSError, NothingMeasured))) is None:
            raise
        raise NothingMeasured(sentence(found)) from None
    return Outcome(len(latencies), time.perf_counter() - started, time.process_time() - cpu, tuple(latencies))


def main() -> None:
    """Read the order, be the crowd, say what came of it."""
    order: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    answer(lambda: asyncio.run(crowd(Order(**order))))


if __name__ == "__main__":
    main()

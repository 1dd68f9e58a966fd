"""A TCP proxy that does to connections what networks and servers do to them; told by the test, each way for itself, seeded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = 65_536
_KEPT: Final = 1024
"""Bytes of a question that a rule may look at."""


@dataclass
class Way:
    """What happens to the bytes of one direction. All may be changed while connections are open."""

    delay: float = 0.0
    """Seconds before each piece is passed on."""
    drop: float = 0.0
    """The chance that from this piece on nothing of the connection passes any more; both ends stay open and are told nothing."""
    cut_after: int | None = None
    """Bytes, counted over all connections, after which the connection at hand is reset; told once."""
    passed: int = 0
    dropped: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a piece waits for the thaw."""
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._flowing.set()

    def freeze(self) -> None:
        """Hold everything back; connections stay open and new ones are accepted."""
        self.held.clear()
        self._flowing.clear()

    def thaw(self) -> None:
        """Let go what was held back, in order."""
        self._flowing.set()

    async def flow(self) -> None:
        """Wait for the thaw."""
        if not self._flowing.is_set():
            self.held.set()
            await self._flowing.wait()


@dataclass
class LostReplies:
    """The server does what was asked, and the client never hears of it: the answer is swallowed, then the connection cut."""

    chance: float = 1.0
    most: int | None = None
    """How many answers are lost in all; None: no end."""
    to: Callable[[bytes], bool] = lambda _question: True
    """Whether the answer to a question that begins with these bytes may be lost."""
    whole: Callable[[bytes], bool] = lambda _answer: True
    """Whether these last bytes end an answer."""
    lost: int = 0


def asks_to_append(question: bytes) -> bool:
    """Whether these bytes of a PostgreSQL client begin with a Bind whose first parameter has streams: an append, then executed.

    A new connection of asyncpg first asks about types, also by Bind; nothing is committed by that.
    """
    return question[:1] == b"B" and b"case:" in question


def postgres_is_ready(answer: bytes) -> bool:
    """Whether these bytes of a PostgreSQL server end with ReadyForQuery outside a transaction: what was asked is committed."""
    return answer.endswith(b"Z\x00\x00\x00\x05I")


@dataclass
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    question: bytes = b""
    answered: bool = True
    losing: bool = False

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


@dataclass
class Proxy:
    """Forwards `port` to `server_port`. `up` is what the client says, `down` what the server answers."""

    server_port: int
    seed: int
    port: int = 0
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    half_open: bool = False
    """New connections are accepted; nothing is forwarded, nothing answered, nothing closed."""
    replies: LostReplies | None = None
    accepted: int = 0
    cuts: int = 0
    _links: list[_Link] = field(default_factory=list)
    _held_open: list[asyncio.StreamWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def freeze(self) -> None:
        """Both ways."""
        self.up.freeze()
        self.down.freeze()

    def thaw(self) -> None:
        """Both ways."""
        self.up.thaw()
        self.down.thaw()

    def cut(self) -> None:
        """Reset every connection at once."""
        for link in self._links:
            link.cut()
        self._links.clear()

    def end(self) -> None:
        """Let go of everything, also of what is held half-open."""
        self.thaw()
        self.cut()
        for writer in self._held_open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        self.accepted += 1
        if self.half_open:
            self._held_open.append(writer)
            return
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server)
        self._links.append(link)
        await asyncio.gather(
            self._pass_on(link, reader, server, self.up), self._pass_on(link, answers, writer, self.down), return_exceptions=True
        )

    async def _pass_on(self, link: _Link, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: Way) -> None:
        gone = False
        try:
            while data := await source.read(_PIECE):
                await way.flow()
                if way.delay:
                    await asyncio.sleep(way.delay)
                if not gone and way.drop and self._dice.random() < way.drop:
                    gone, way.dropped = True, way.dropped + 1
                if gone or (way is self.down and self._loses(link, data)):
                    continue
                if way is self.up:
                    self._asked(link, data)
                if way.cut_after is not None and way.passed + len(data) >= way.cut_after:
                    data = data[: way.cut_after - way.passed]
                    way.cut_after, self.cuts = None, self.cuts + 1
                    target.write(data)
                    await target.drain()
                    link.cut()
                    return
                way.passed += len(data)
                target.write(data)
                await target.drain()
        except ConnectionError:
            return
        finally:
            if not gone:
                target.close()

    def _asked(self, link: _Link, data: bytes) -> None:
        if link.answered:
            link.question, link.answered = b"", False
        link.question = (link.question + data)[:_KEPT]

    def _loses(self, link: _Link, data: bytes) -> bool:
        rule = self.replies
        if not link.answered:
            link.answered = True
            spent = rule is None or (rule.most is not None and rule.lost >= rule.most)
            link.losing = not spent and rule is not None and rule.to(link.question) and self._dice.random() < rule.chance
        if not link.losing or rule is None:
            return False
        if rule.whole(data):
            rule.lost += 1
            link.losing = False
            link.cut()
        return True


@asynccontextmanager
async def proxy(server_port: int, seed: int = 0) -> AsyncIterator[Proxy]:
    """A proxy in front of the loopback's `server_port`."""
    made = Proxy(server_port, seed)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.end()
        server.close()

"""A TCP proxy that can lose a reply: the commit happens, and nobody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards to a server; `swallow_reply` cuts the connection instead of passing the next answer on, `freeze_replies`
    keeps the connection and passes nothing on: `frozen` is set when the first answer was held back."""

    server_port: int
    port: int = 0
    swallow_reply: bool = False
    swallowed: int = 0
    freeze_replies: bool = False
    frozen: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self.server_port)
        self._writers += [writer, questions]
        await asyncio.gather(self._pass_on(reader, questions, answers=False), self._pass_on(answers, writer, answers=True))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await source.read(65536):
                if answers and self.swallow_reply:
                    self.swallow_reply = False
                    self.swallowed += 1
                    self.cut()
                    return
                if answers and self.freeze_replies:
                    self.frozen.set()
                    continue
                target.write(data)
                await target.drain()
        except ConnectionError:
            return
        finally:
            target.close()

    def cut(self) -> None:
        """Cut every connection at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def proxy(server_port: int) -> AsyncIterator[Proxy]:
    made = Proxy(server_port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.cut()
        server.close()

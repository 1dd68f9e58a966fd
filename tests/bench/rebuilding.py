"""A rebuild as `make rebuild` does it, in a process of its own: `python -m tests.bench.rebuilding`, the order as JSON on stdin.

Its parts are forked from a process as large as the command's, not as the bench's, which has held a million facts.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from caselog.read import LogReader
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.projections.rebuild import Rebuild
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from services.intake.project import projection
from tests.bench.samples import answer


@dataclass(frozen=True)
class Order:
    """What is to be built anew: intake's cases and notices. `log`, `vault`, `owner`: asyncpg's connection arguments."""

    log: dict[str, Any]
    vault: dict[str, Any]
    owner: dict[str, Any]
    keys: str


async def _built(order: Order) -> dict[str, float]:
    @asynccontextmanager
    async def open_processor() -> AsyncIterator[tuple[EventProcessor, LogReader]]:
        async with (
            asyncpg.create_pool(**order.log, min_size=1, max_size=2) as log,
            asyncpg.create_pool(**order.vault, min_size=1, max_size=4) as db,
        ):
            yield projection(Vault(db, VaultKeys(Path(order.keys)))), LogReader(log)

    started = time.perf_counter()
    done = await Rebuild(open_processor, order.owner).run()
    return {"facts": done.facts, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    answer(lambda: asyncio.run(_built(Order(**orjson.loads(sys.stdin.buffer.read())))))

"""`python -m chassis.bus [migrate]`: the relay as a process with /health and /ready."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI

from caselog.connections import pool
from caselog.migrations import migrate
from caselog.read import LogReader
from chassis.bus.access import Access
from chassis.bus.relay import METRICS, MIGRATIONS, Relay, RelayState
from chassis.settings import Ground, Unset
from chassis.telemetry import configure
from chassis.web.application import small_door
from chassis.web.watching import RelayStatus


async def _migrate(ground: Ground) -> None:
    connection = await asyncpg.connect(**ground.as_owner("relay"))
    try:
        await migrate(connection, "relay", MIGRATIONS)
    finally:
        await connection.close()


def door(ground: Ground, access: Access) -> FastAPI:
    """The relay behind its two doors for whoever watches over it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            pool(ground.as_reader("relay"), least=1, most=2) as log_pool,
            pool(ground.as_service("relay", "relay"), least=2, most=3, keeps_state=True) as own,
        ):
            relay = Relay(access=access, log=LogReader(log_pool), own=own)
            app.state.relay = relay
            task = asyncio.create_task(relay.run(), name="relay")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def ready(app: FastAPI) -> dict[str, bool]:
        state: RelayState = app.state.relay.state
        return {"leading": state.leading, "connected": state.connected}

    async def status(app: FastAPI) -> RelayStatus:
        state: RelayState = app.state.relay.state
        return RelayStatus(leading=state.leading, connected=state.connected, behind=state.behind, published=state.published)

    return small_door(process="relay", lifespan=lifespan, ready=ready, status=status, metrics=METRICS)


def main(arguments: list[str]) -> int:
    """Run the relay, or its migrations."""
    ground = Ground()
    if arguments == ["migrate"]:
        asyncio.run(_migrate(ground))
        return 0
    if arguments:
        print("usage: python -m chassis.bus [migrate]", file=sys.stderr)
        return 2
    try:
        access = Access.of(ground)
    except Unset as missing:
        print(f"the relay does not start: {missing}", file=sys.stderr)
        return 2
    configure("relay", ground)
    uvicorn.run(door(ground, access), host=ground.host, port=ground.port, log_config=None, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

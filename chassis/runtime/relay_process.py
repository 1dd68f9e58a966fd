"""`python -m chassis.runtime.relay_process`: the relay as a process with /health and /ready."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import typer
import uvicorn
from fastapi import FastAPI

from caselog.db.migrate import migrate
from caselog.db.pool import create_pool
from caselog.read import LogReader
from chassis.eventing.kafka.connection import KafkaConnection
from chassis.eventing.relay import METRICS, MIGRATIONS, Relay, RelayState
from chassis.settings import Settings, Unset
from chassis.telemetry import configure
from chassis.web.app import create_probe_app
from chassis.web.probes import RelayStatus
from schemas.command_line import Version, command_line, run

app = command_line("The relay: publishes the log to Kafka. Without a command it serves.")


def create_relay_app(settings: Settings, connection: KafkaConnection) -> FastAPI:
    """The relay behind its two doors for whoever watches over it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            create_pool(settings.as_reader("relay"), min_size=1, max_size=2) as log_pool,
            create_pool(settings.as_service("relay", "relay"), min_size=2, max_size=3, keeps_state=True) as db,
        ):
            relay = Relay(connection=connection, log=LogReader(log_pool), db=db)
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

    return create_probe_app(process="relay", lifespan=lifespan, ready=ready, status=status, metrics=METRICS)


@app.command("migrate")
async def migrate_tables() -> None:
    """Set up or bring forward the relay's tables (as the owner: PARVANDEH_OWNER_PASSWORD)."""
    connection = await asyncpg.connect(**Settings.from_environment().as_owner("relay"))
    try:
        await migrate(connection, "relay", MIGRATIONS)
    finally:
        await connection.close()


@app.callback(invoke_without_command=True)
def serve(context: typer.Context, _: Version = False) -> None:
    """Publish until SIGTERM, unless a command is given."""
    if context.invoked_subcommand is None:
        settings = Settings.from_environment()
        connection = KafkaConnection.of(settings)  # before anything starts: a setting that is missing is said in one sentence
        configure("relay", settings)
        uvicorn.run(
            create_relay_app(settings, connection), host=settings.host, port=settings.port, log_config=None, access_log=False
        )


def main(arguments: list[str]) -> int:
    """The exit code of one command; 2 with one sentence when a setting is missing."""
    try:
        return run(app, "python -m chassis.runtime.relay_process", arguments)
    except Unset as missing:
        sys.stderr.write(f"the relay does not start: {missing}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

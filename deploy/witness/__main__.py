"""`python -m deploy.witness`: the demonstration witness as a process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson
import typer
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from caselog.db.pool import answers, create_pool
from caselog.read import LogReader
from chassis.settings import Settings, Unset
from chassis.telemetry import configure
from chassis.web.app import create_probe_app
from chassis.web.problems import Unavailable
from chassis.web.routes import ResponseModel, may_refuse, routes
from deploy.witness.memory import Memory
from deploy.witness.witness import (
    ChainBroken,
    NotACommitment,
    RoundWithoutRefusal,
    SignedAnother,
    UnknownPosition,
    Witness,
    WrongLink,
    private_key,
    public_pem,
)
from schemas.command_line import Version, command_line, run
from schemas.envelope import Position
from schemas.facts.review import WitnessSignature

NAME: Final = "demonstration"
LOCALE: Final = Path(__file__).with_name("locale")
app = command_line("The demonstration witness: signs commitments of draws. Without a command it serves.")


class Wish(BaseModel):
    """Which commitment to sign."""

    model_config = ConfigDict(extra="forbid")

    stream: str = Field(pattern=r"^case:[a-z0-9]{1,80}$")
    position: str = Field(pattern=r"^[0-9]{1,2}:[0-9]{1,15}$")
    link: str = Field(pattern=r"^[0-9a-f]{64}$")


class PublicKey(ResponseModel):
    """The witness' public half."""

    name: str
    public_key: str
    """PEM."""


router = routes()


@router.post("/sign")
@may_refuse(UnknownPosition, WrongLink, NotACommitment, ChainBroken, SignedAnother, RoundWithoutRefusal, Unavailable)
async def sign(request: Request, wish: Wish) -> WitnessSignature:
    """The signature over the commitment at a position, once for each case, stage and round, and the same again."""
    try:
        position = Position.parse(wish.position)
    except ValueError:
        raise UnknownPosition from None
    signed: WitnessSignature = await request.app.state.witness.signature(wish.stream, position, bytes.fromhex(wish.link))
    return signed


@router.get("/key")
async def public(request: Request) -> PublicKey:
    """The key under which its signatures are verified."""
    return PublicKey(name=NAME, public_key=public_pem(request.app.state.key))


def create_witness_app(settings: Settings) -> FastAPI:
    """The witness' own door: sign, its public key, health, ready."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.key = key = private_key(settings.keys / "witness.pem")
        memory = Memory(settings.keys / "witness.sqlite")
        async with create_pool(settings.as_reader("witness"), min_size=0, max_size=2) as log_pool:
            app.state.log = LogReader(log_pool)
            app.state.witness = Witness(name=NAME, key=key, log=app.state.log, memory=memory)
            yield
        memory.close()

    async def ready(app: FastAPI) -> dict[str, bool]:
        return {"log": await answers(app.state.log.heads())}

    return create_probe_app(process="witness", lifespan=lifespan, ready=ready, routers=(router,), locale=(LOCALE,))


@app.callback(invoke_without_command=True)
def serve(context: typer.Context, _: Version = False) -> None:
    """Serve until SIGTERM, unless a command is given."""
    if context.invoked_subcommand is None:
        settings = Settings.from_environment()
        configure("witness", settings)
        uvicorn.run(create_witness_app(settings), host=settings.host, port=settings.port, log_config=None, access_log=False)


@app.command()
def key() -> None:
    """Print the public half of its key, as the list that witnesses.json holds."""
    settings = Settings.from_environment()
    entry = {
        "name": NAME,
        "url": f"http://{settings.host}:{settings.port}",
        "public_key": public_pem(private_key(settings.keys / "witness.pem")),
        "demonstration": True,
    }
    print(orjson.dumps([entry]).decode())


def main(arguments: list[str]) -> int:
    """The exit code of one command; 2 with one sentence when a setting is missing."""
    try:
        return run(app, "python -m deploy.witness", arguments)
    except Unset as missing:
        print(f"the witness does not start: {missing}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

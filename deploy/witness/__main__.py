"""`python -m deploy.witness [key]`: the demonstration witness as a process; `key` prints its line for witnesses.json."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from caselog.away import AWAY
from caselog.read import LogReader
from chassis.settings import Ground
from chassis.telemetry import configure
from deploy.witness.memory import Memory
from deploy.witness.witness import Witness, WontSign, private_key, public_pem
from schemas.envelope import Position

NAME: Final = "demonstration"


class Wish(BaseModel):
    """Which commitment to sign."""

    model_config = ConfigDict(extra="forbid")

    stream: str = Field(pattern=r"^case:[a-z0-9]{1,80}$")
    position: str = Field(pattern=r"^[0-9]{1,2}:[0-9]{1,15}$")
    link: str = Field(pattern=r"^[0-9a-f]{64}$")


def door(ground: Ground) -> FastAPI:
    """The witness' own door: sign, its public key, health, ready."""
    key = private_key(ground.keys / "witness.pem")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        memory = Memory(ground.keys / "witness.sqlite")
        async with asyncpg.create_pool(**ground.as_reader("witness"), min_size=0, max_size=2) as pool:
            app.state.log = LogReader(pool)
            app.state.witness = Witness(name=NAME, key=key, log=app.state.log, memory=memory)
            yield
        memory.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(WontSign)
    async def refused(_: Request, error: WontSign) -> Response:
        problem = {"type": f"urn:parvandeh:problem:{error.code}", "title": error.code, "status": error.status}
        return JSONResponse(problem, error.status, media_type="application/problem+json")

    @app.post("/sign")
    async def sign(wish: Wish) -> dict[str, str]:
        try:
            position = Position.parse(wish.position)
        except ValueError:
            raise WontSign("unknown_position", 404) from None
        signed = await app.state.witness.signature(wish.stream, position, bytes.fromhex(wish.link))
        answer: dict[str, str] = signed.model_dump()
        return answer

    @app.get("/key")
    async def public() -> dict[str, str]:
        return {"name": NAME, "public_key": public_pem(key)}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"witness": "alive"}

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, bool]:
        try:
            await app.state.log.heads()
            reads = True
        except (asyncpg.PostgresError, *AWAY):
            reads = False
        response.status_code = 200 if reads else 503
        return {"log": reads}

    return app


def main(arguments: list[str]) -> int:
    """Serve, or print the public line."""
    ground = Ground()
    if arguments == ["key"]:
        entry = {
            "name": NAME,
            "url": f"http://{ground.host}:{ground.port}",
            "public_key": public_pem(private_key(ground.keys / "witness.pem")),
            "demonstration": True,
        }
        print(orjson.dumps([entry]).decode())
        return 0
    if arguments:
        print("usage: python -m deploy.witness [key]", file=sys.stderr)
        return 2
    configure("witness", ground)
    uvicorn.run(door(ground), host=ground.host, port=ground.port, log_config=None, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The limit of a filing: a bare FastAPI that takes a form with its papers and drops it. `python -m tests.bench.form`.

No middleware, no session, no database: what the framework alone spends before a filing begins.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from chassis.runtime.cli import serve
from chassis.settings import Settings


def create_app() -> FastAPI:
    """Two routes: one that says it is ready, one that drops what it takes."""
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        return {}

    @app.post("/new/{kind}", status_code=303)
    async def dropped(request: Request, kind: str) -> Response:
        async with request.form() as form:
            for paper in (each for each in form.values() if isinstance(each, UploadFile)):
                await paper.read()
        return Response(status_code=303)

    return app


if __name__ == "__main__":
    serve(create_app(), Settings())

"""A real OpenID issuer in miniature on a port of its own: honest by itself, and a liar where a test says so."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, Key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from deploy.local.subprocesses import wait_until

CLIENT: Final = "parvandeh-door"
SECRET: Final = "a-secret-of-the-door-and-the-issuer"
LOGOUT: Final[dict[str, Any]] = {"http://schemas.openid.net/event/backchannel-logout": {}}
Change = Callable[[dict[str, Any]], dict[str, Any]]


def same(found: dict[str, Any]) -> dict[str, Any]:
    return found


async def passed(found: Response) -> Response:
    return found


@dataclass
class Lies:
    """What a test has the issuer do otherwise, at each place where it speaks."""

    discovery: Change = same
    answer: Change = same
    """The parameters with which it sends the browser back."""
    claims: Change = same
    sign: Callable[[dict[str, Any]], str] | None = None
    token: Change = same
    """The JSON of the token endpoint."""
    respond: Callable[[str, Response], Response] = lambda _, honest: honest
    """The whole response at a path."""
    twice: str = ""
    """A parameter of the answer that stands there twice."""


@dataclass
class Issuer:
    """One issuer with one client. `person`: the claims of whoever signs in."""

    redirect_uris: set[str]
    person: dict[str, Any] = field(default_factory=dict)
    lies: Lies = field(default_factory=Lies)
    url: str = ""
    posted: bool = False
    """Whether the client may show its secret in the form, and must."""

    def __post_init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.seen: list[dict[str, str]] = []
        """The parameters of each authorization request."""
        self._codes: dict[str, dict[str, str]] = {}
        self.rotate()

    def rotate(self) -> None:
        """A new key to sign with; the old one is taken back."""
        self.key: Key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})
        self.published: list[Key] = [self.key]

    def signed(self, claims: dict[str, Any], key: Key | None = None, **header: Any) -> str:
        key = key or self.key
        return jwt.encode({"alg": "ES256", "kid": key.kid, **header}, claims, key, algorithms=["ES256", "RS256", "HS256"])

    def claims(self, nonce: str, access_token: str) -> dict[str, Any]:
        now = int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        return {
            "iss": self.url, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce, "sid": f"sid-of-{self.person['sub']}",
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="), **self.person,
        }  # fmt: skip

    def logout_token(self, key: Key | None = None, without: str = "", **claims: Any) -> str:
        now = int(time.time())
        made = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8), "events": LOGOUT,
            "sub": self.person["sub"], **claims,
        }  # fmt: skip
        return self.signed({name: value for name, value in made.items() if name != without}, key, typ="logout+jwt")

    def app(self) -> Starlette:
        paths = {
            "/.well-known/openid-configuration": self._discovery,
            "/authorize": self._authorize,
            "/token": self._token,
            "/jwks": self._jwks,
        }

        def told(path: str, speak: Callable[[Request], Any]) -> Route:
            async def answer(request: Request) -> Response:
                self.asked[path] = self.asked.get(path, 0) + 1
                return self.lies.respond(path, await speak(request))

            return Route(path, answer, methods=["GET", "POST"])

        return Starlette(routes=[told(path, speak) for path, speak in paths.items()])

    async def _discovery(self, _: Request) -> Response:
        return JSONResponse(
            self.lies.discovery(
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/jwks",
                    "end_session_endpoint": f"{self.url}/end",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                    "code_challenge_methods_supported": ["S256"],
                    "authorization_response_iss_parameter_supported": True,
                    "token_endpoint_auth_methods_supported": ["client_secret_post" if self.posted else "client_secret_basic"],
                }
            )
        )

    async def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        self.seen.append(given)
        sound = (
            given.get("client_id") == CLIENT
            and given.get("redirect_uri") in self.redirect_uris
            and given.get("response_type") == "code"
            and "openid" in given.get("scope", "").split()
            and given.get("code_challenge_method") == "S256"
            and len(given.get("code_challenge", "")) == 43
        )
        if not sound:
            return Response("no such client or request", 400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = given
        answer = list(self.lies.answer({"code": code, "state": given["state"], "iss": self.url}).items())
        if self.lies.twice:
            answer.append((self.lies.twice, dict(answer)[self.lies.twice]))
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        posted = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if request.headers.get("authorization") != f"Basic {basic}" and not (self.posted and posted):
            return JSONResponse({"error": "invalid_client"}, 401)
        if (
            asked is None
            or form.get("redirect_uri") != asked["redirect_uri"]
            or base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        claims = self.lies.claims(self.claims(asked["nonce"], access))
        token = (self.lies.sign or self.signed)(claims)
        return JSONResponse(self.lies.token({"access_token": access, "token_type": "Bearer", "id_token": token}))

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.published]})


@contextmanager
def serving(issuer: Issuer, host: str = "127.0.0.1") -> Iterator[Issuer]:
    """The issuer on a free port of the loopback, in a thread with a loop of its own, as long as the block lives."""
    server = uvicorn.Server(
        uvicorn.Config(issuer.app(), host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    wait_until(lambda: server.started, 30, "the issuer's start")
    issuer.url = f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.should_exit = True
        thread.join(10)

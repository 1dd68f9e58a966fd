"""The demo door at the local issuer, and a browser that signs in there step by step."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx2
from fastapi import FastAPI
from pydantic import SecretStr

from chassis.accounts.oidc.issuer import SECONDS
from chassis.accounts.oidc.issuer import Issuer as KnownIssuer
from chassis.accounts.oidc.relying_party import RETURN, RelyingParty
from chassis.accounts.sessions import Sessions
from chassis.oidc_settings import Oidc, Seat
from chassis.privacy.key_files import make
from chassis.settings import Settings
from deploy.demo.week import national_code
from tests.databases import Databases
from tests.web.demo import blind, browser, running
from tests.web.issuer import CLIENT, SECRET, Issuer, Lies, serving

DOOR: Final = "http://demo"
CODE: Final = national_code(345_678_912)
PERSON: Final[dict[str, Any]] = {"sub": "person-7", "name": "زرتاج کاشفی", "roles": ["reviewers", "bowling-club"]}
CITIZEN: Final[dict[str, Any]] = {
    "sub": "citizen-9",
    "name": "بهمن دادخواه",
    "national_code": CODE,
    "phone_number": "+989131234567",
}
ROLES: Final = {
    "reviewers": Seat(role="reviewer"),
    "heads": Seat(role="supervisor"),
    "auditors": Seat(role="auditor"),
    "azadi": Seat(role="office_operator", office="office-1"),
}


@dataclass
class House:
    """The door, its issuer, and a clock of the door that a test may put forward."""

    app: FastAPI
    db: asyncpg.Pool
    settings: Settings
    databases: Databases
    issuer: Issuer
    sent: list[tuple[str, str]] = field(default_factory=list)
    later: float = 0.0

    def afresh(self, seconds: float = SECONDS) -> None:
        """As after a start of the door, with an honest issuer."""
        self.later, self.issuer.lies, self.issuer.person, self.issuer.posted = 0.0, Lies(), dict(PERSON), False
        known = KnownIssuer(self.settings.oidc, lambda: time.monotonic() + self.later, seconds)
        self.app.state.oidc = RelyingParty(
            self.settings, "demo", db=self.db, sessions=Sessions(self.db), roles=("reviewer", "supervisor"), blind=blind,
            issuer=known,
        )  # fmt: skip

    def browser(self, language: str = "en", accept: str = "application/json") -> httpx2.AsyncClient:
        return browser(self.app, language, accept)

    async def rows(self, table: str) -> int:
        return int(await self.db.fetchval(f"SELECT count(*) FROM {table}"))


def believing(issuer: Issuer) -> Oidc:
    """The settings of a door at this issuer."""
    return Oidc(
        issuer=issuer.url,
        client_id=CLIENT,
        client_secret=SecretStr(SECRET),
        roles=ROLES,
        national_code_claim="national_code",
    )


@asynccontextmanager
async def house_at_issuer(databases: Databases, keys: Path) -> AsyncIterator[House]:
    make(keys, ["subject"])
    with serving(Issuer({DOOR + RETURN}, dict(PERSON))) as issuer:
        settings = Settings(
            keys=keys,
            doors={"demo": DOOR},
            oidc=Oidc(
                issuer=issuer.url,
                client_id=CLIENT,
                client_secret=SecretStr(SECRET),
                roles=ROLES,
                national_code_claim="national_code",
            ),
        )
        async with running(databases, settings) as (app, sent):
            yield House(app, app.state.db, settings, databases, issuer, sent)


async def started(client: httpx2.AsyncClient, path: str = "/sign-in/oidc", to: str = "/staff") -> httpx2.Response:
    """The door's answer to the button."""
    return await client.get(path, params={"next": to})


async def at_issuer(location: str) -> str:
    """What the issuer does with a browser that comes with this address: the path at the door that it sends it back to."""
    async with httpx2.AsyncClient(verify=False) as outside:  # plain http: no authorities to read
        answer = await outside.get(location)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(DOOR + "/")
    return str(answer.headers["location"]).removeprefix(DOOR)


async def signed_in(client: httpx2.AsyncClient, path: str = "/sign-in/oidc", to: str = "/staff") -> httpx2.Response:
    """The door's answer to whoever comes back."""
    begun = await started(client, path, to)
    assert begun.status_code == 303, begun.text
    return await client.get(await at_issuer(begun.headers["location"]))


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    found: dict[str, Any] = answer.json()
    return answer.status_code, found["type"].rpartition(":")[2]

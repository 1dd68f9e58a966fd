"""The system status page for staff: every service, the relay and open work at a glance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from chassis.principal import Principal
from chassis.web.auth import require
from chassis.web.pages import Desk, render
from chassis.web.routes import routes

router = routes()
STAFF: Final = ("identity_clerk", "engineer")
ASK_SECONDS: Final = 2.0
MUCH_BEHIND: Final = 500
"""Facts; more than a moment's work of a reader."""
LONG_DUE_SECONDS: Final = 60.0
LEAST_SHARE: Final = 0.99


@dataclass(frozen=True)
class ProcessStatus:
    """One process's report; `found` is None when it does not answer."""

    name: str
    found: dict[str, Any] | None

    @property
    def troubles(self) -> list[str]:
        """Message ids of what needs attention; empty when all is well."""
        if self.found is None:
            return ["It is not responding."]
        readers, agenda = self.found.get("readers", []), self.agenda or {}
        looks = {
            "A shard has stopped at a fork: call the engineers at once.": any(each["halted"] for each in readers),
            "A processor has stopped: too many cases could not be applied.": any(each["stopped"] for each in readers),
            "Cases are parked.": any(each["parked"] for each in readers),
            "Work is parked.": bool(agenda.get("parked")),
            "A task keeps being retried.": bool(agenda.get("trying")),
            "It is behind the log.": self.behind > MUCH_BEHIND,
            "A task has been due for more than a minute.": agenda.get("oldest", 0.0) > LONG_DUE_SECONDS,
            "The bus is hardly used: facts come from the log.": self.share is not None and self.share < LEAST_SHARE,
            "Nothing is being published.": self.found.get("leading") is False or self.found.get("connected") is False,
        }
        return [message for message, found in looks.items() if found]

    @property
    def agenda(self) -> dict[str, Any] | None:
        """Its agenda in numbers; None when it has none."""
        return (self.found or {}).get("agenda")

    @property
    def behind(self) -> int:
        """Facts that its slowest reader has not applied, or that are not published."""
        found = self.found or {}
        return max([int(each["behind"]) for each in found.get("readers", [])] + [int(found.get("behind", 0))])

    @property
    def share(self) -> float | None:
        """The smallest share of the bus among its readers, when enough was applied to tell."""
        shares = [each["share"] for each in (self.found or {}).get("readers", []) if each["share"] is not None]
        return min(shares, default=None)


async def _ask(client: httpx2.AsyncClient, name: str, url: str) -> ProcessStatus:
    try:
        answer = await client.get(f"{url}/status.json")
        return ProcessStatus(name, answer.json() if answer.status_code == 200 else None)
    except (httpx2.HTTPError, ValueError):
        return ProcessStatus(name, None)


@router.get("/status")
async def status(request: Request, principal: Principal = require(*STAFF)) -> HTMLResponse:
    desk: Desk = request.app.state.desk
    async with httpx2.AsyncClient(timeout=ASK_SECONDS) as client:
        found = await asyncio.gather(*(_ask(client, name, url) for name, url in desk.service_urls.items()))
    return render(request, "status.html", rows=sorted(found, key=lambda each: (not each.troubles, each.name)))

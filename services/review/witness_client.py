"""A witness as review asks it: its signature is checked before it is believed."""

from __future__ import annotations

from typing import Final

import httpx2

from chassis.eventing.agenda.worker import RetryLater
from schemas.draws import is_genuine
from schemas.envelope import Position
from schemas.facts.review import WitnessSignature
from schemas.witnesses import WitnessEntry

SECONDS: Final = 10.0


class WitnessUnavailable(RetryLater):
    """A witness does not answer, or not yet: the draw waits, visibly, and never falls back."""


class WitnessRefused(Exception):
    """A witness refuses to sign this draw; the code says why."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__(f"{name}: {code}")
        self.code = code


async def signature(entry: WitnessEntry, *, stream: str, position: Position, link: bytes) -> WitnessSignature:
    """The witness' signature over the commitment at `position`.

    Raises WitnessUnavailable (try again), WitnessRefused.
    """
    body = {"stream": stream, "position": str(position), "link": link.hex()}
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(f"{entry.url}/sign", json=body)
    except httpx2.HTTPError as error:
        raise WitnessUnavailable(type(error).__name__) from None
    if answer.status_code >= 500 or answer.status_code in (404, 425, 429):
        raise WitnessUnavailable(str(answer.status_code))
    try:
        content = answer.json()
        if answer.status_code != 200:
            raise WitnessRefused(entry.name, str(content["type"]).rpartition(":")[2])
        signed = WitnessSignature(**content)
    except (ValueError, KeyError, TypeError):
        raise WitnessUnavailable("answer not understood") from None
    if not is_genuine(entry.public_key, signed, link):
        raise WitnessRefused(entry.name, "wrong_signature")
    return signed

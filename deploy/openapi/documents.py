"""Each door's document, made from its application without a server, a database or a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from chassis.bus import __main__ as relay
from chassis.bus.access import Access
from chassis.process import agenda_door
from chassis.settings import Ground
from chassis.web.oidc.settings import Oidc, Seat
from chassis.web.openapi import document
from deploy.witness import __main__ as witness
from schemas import published
from services.audit.app import door as audit
from services.inquiry.app import door as inquiry
from services.intake.app import door as intake
from services.notify.app import PROCESS as ANY_SERVICE
from services.notify.app import door as notify
from services.review.app import door as review

FOLDER: Final = published.HERE / "openapi"
WITH_ISSUER: Final = Oidc(
    issuer="https://issuer.invalid",
    client_id="parvandeh",
    roles={"reviewers": Seat(role="reviewer")},
    national_code_claim="national_code",
)
"""Sign-in by OpenID Connect has its routes only where it is on; the documents describe them too."""
DOORS: Final[Mapping[str, Callable[[Ground], FastAPI]]] = {
    "intake": intake,
    "review": review,
    "inquiry": inquiry,
    "notify": notify,
    "audit": audit,
    "relay": lambda ground: relay.door(ground, Access.of(ground)),
    "witness": witness.door,
    "agenda": lambda ground: agenda_door(ANY_SERVICE, ground),
}
"""The doors of `make run`; the agenda workers of all services have the same one."""


@cache
def texts() -> Mapping[str, str]:
    """File name -> the document."""
    ground = Ground(oidc=WITH_ISSUER)
    return {
        f"{name}.json": json.dumps(document(door(ground)), indent=1, ensure_ascii=False) + "\n" for name, door in DOORS.items()
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """The names of files that are missing, differ from the code, or belong to no door."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in {*texts(), *there} if there.get(name) != texts().get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Write what is stale; return what was written or taken away."""
    folder.mkdir(exist_ok=True)
    changed = stale(folder)
    for name in changed:
        if name in texts():
            (folder / name).write_text(texts()[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed

"""Each door's document, generated from its application without a server, a database or a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from chassis.eventing.kafka.connection import KafkaConnection
from chassis.oidc_settings import Oidc, Seat
from chassis.runtime import relay_process as relay
from chassis.settings import Settings
from chassis.web.openapi import document
from deploy.witness import __main__ as witness
from schemas import contract_files
from services.audit.app import create_app as audit
from services.inquiry.app import create_app as inquiry
from services.intake.app import create_app as intake
from services.notify.app import SERVICE as ANY_SERVICE
from services.notify.app import create_app as notify
from services.review.app import create_app as review

FOLDER: Final = contract_files.HERE / "openapi"
WITH_ISSUER: Final = Oidc(
    issuer="https://issuer.invalid",
    client_id="parvandeh",
    roles={"reviewers": Seat(role="reviewer")},
    national_code_claim="national_code",
)
"""Sign-in by OpenID Connect has its routes only where it is on; the documents describe them too."""
DOORS: Final[Mapping[str, Callable[[Settings], FastAPI]]] = {
    "intake": intake,
    "review": review,
    "inquiry": inquiry,
    "notify": notify,
    "audit": audit,
    "relay": lambda settings: relay.create_relay_app(settings, KafkaConnection.of(settings)),
    "witness": witness.create_witness_app,
    "agenda": ANY_SERVICE.create_agenda_app,
}
"""The doors of `make run`; the agenda workers of all services have the same one."""


@cache
def texts() -> Mapping[str, str]:
    """File name -> the document."""
    settings = Settings(oidc=WITH_ISSUER)
    return {
        f"{name}.json": json.dumps(document(door(settings)), indent=1, ensure_ascii=False) + "\n" for name, door in DOORS.items()
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """The names of files that are missing, differ from the code, or belong to no door."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in {*texts(), *there} if there.get(name) != texts().get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Write stale files; return what was written or removed."""
    folder.mkdir(exist_ok=True)
    changed = stale(folder)
    for name in changed:
        if name in texts():
            (folder / name).write_text(texts()[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed

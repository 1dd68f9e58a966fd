"""Who may be enrolled at inquiry: the agencies of the catalogue, and their officers."""

from __future__ import annotations

from typing import Final

from caselog.read import LogReader
from chassis.command_ids import http_command
from chassis.enrolling.enrolment import Enrolment, Seat
from chassis.enrolling.typed import EnrolmentRefused, NotUnderstood
from chassis.folding import Folded
from chassis.standing import Standing
from chassis.web.principal import Principal
from schemas.catalogue import catalogue
from services.inquiry.commands import RegisterAgency
from services.inquiry.decide import State, evolve
from services.inquiry.handle import Handling

ROLES: Final = ("agency_officer",)
"""The staff of this desk (domain.md, Who acts)."""
AGENCY: Final = "agency register AGENCY"


async def agency(here: Standing, arguments: list[str]) -> str:
    """`agency register`. Raises EnrolmentRefused, NotUnderstood."""
    match arguments:
        case ["register", key]:
            new = await register(here, key)
            return f"{key} is registered" + ("" if new else " already; nothing was changed")
    raise NotUnderstood(f"it is: {AGENCY}")


async def register(here: Standing, key: str) -> bool:
    """Let an agency take part, under its names of the catalogue; whether it did not before. Raises EnrolmentRefused."""
    agencies = catalogue().codes["agencies"]
    if key not in agencies:
        raise EnrolmentRefused("AGENCY", f"the catalogue has {', '.join(agencies)}")
    if await registered(here.log, key):
        return False
    stream = f"agency:{key}"
    this = http_command("inquiry", "system", "/enrolment", stream, "register")
    command = RegisterAgency(agency=key, name_fa=agencies[key].fa, name_en=agencies[key].en)
    handling = Handling(here.handler, here.vault)
    await handling.by_person(command, Principal("system", "inquiry"), stream=stream, command_id=this)
    return True


async def registered(log: LogReader, key: str) -> bool:
    """Whether an agency takes part."""
    if key not in catalogue().codes["agencies"]:
        return False
    found = await Folded.load(log, f"agency:{key}", State(), evolve)
    return found is not None and found.state.registered


ENROLMENT: Final = Enrolment(ROLES, {"agency_officer": Seat("agency", registered)}, {"agency": agency}, (AGENCY,))

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
from schemas.catalogue import Labelled, catalogue
from services.inquiry.commands import RegisterAgency
from services.inquiry.decide import State, evolve
from services.inquiry.handle import Handling

ROLES: Final = ("agency_officer",)
"""The staff of this desk (domain.md, Who acts)."""
AGENCY: Final = "agency register AGENCY"
LIST: Final = "agency list"


async def agency(here: Standing, arguments: list[str]) -> str:
    """`agency register` and `list`. Raises EnrolmentRefused, NotUnderstood."""
    match arguments:
        case ["register", key]:
            new = await register(here, key)
            return f"{key} is registered" + ("" if new else " already; nothing was changed")
        case ["list"]:
            return "\n".join([await _line(here.log, each) for each in catalogue().codes["agencies"].values()])
    raise NotUnderstood(f"it is:\n  {AGENCY}\n  {LIST}")


async def _line(log: LogReader, agency: Labelled) -> str:
    state = "takes part" if await registered(log, agency.key) else "not registered"
    return f"{agency.key:<24} {state:<14}  {agency.fa} / {agency.en}"


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


ENROLMENT: Final = Enrolment(ROLES, {"agency_officer": Seat("agency", registered)}, {"agency": agency}, (AGENCY, LIST))

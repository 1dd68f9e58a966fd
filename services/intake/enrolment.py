"""Who may be enrolled at intake: its staff, and the counter offices that file for citizens."""

from __future__ import annotations

from typing import Final

from caselog.read import LogReader
from chassis.command_ids import http_command
from chassis.enrolling.enrolment import Enrolment, Seat
from chassis.enrolling.typed import EnrolmentRefused, NotUnderstood, Options, identifier, named, whole
from chassis.folding import Folded
from chassis.standing import Standing
from chassis.web.principal import Principal
from schemas.facts.intake import OfficeRegistered
from services.intake.commands import RegisterOffice
from services.intake.decide import State, evolve
from services.intake.handle import Handling

ROLES: Final = ("office_operator", "identity_clerk", "engineer")
"""The staff of this desk (domain.md, Who acts)."""
OFFICE: Final = "office register OFFICE --fa NAME --en NAME --district DISTRICT"


async def office(here: Standing, arguments: list[str]) -> str:
    """`office register`. Raises EnrolmentRefused, NotUnderstood, WrongDistrict."""
    match arguments:
        case ["register", *rest]:
            options = Options(OFFICE)
            options.add_argument("office")
            for each in ("--fa", "--en", "--district"):
                options.add_argument(each, required=True)
            given = options.read(rest)
            command = RegisterOffice(
                name_fa=named("--fa", given.fa), name_en=named("--en", given.en), district=whole("--district", given.district)
            )
            new = await register(here, identifier("OFFICE", given.office), command)
            return f"{given.office} is registered" + ("" if new else " already so; nothing was changed")
    raise NotUnderstood(f"it is: {OFFICE}")


async def register(here: Standing, office_id: str, command: RegisterOffice) -> bool:
    """Let an office file from now on; whether it could not before. Raises EnrolmentRefused, or what `decide` refuses."""
    stream = f"office:{office_id}"
    if found := await Folded.load(here.log, stream, State(), evolve):
        wanted = OfficeRegistered(**command.model_dump())
        if any(fact == wanted for _, fact in found.facts):
            return False
        raise EnrolmentRefused("OFFICE", "it is registered with another name or district, and a registration never changes")
    this = http_command("intake", "system", "/enrolment", stream, "register")
    handling = Handling(here.handler, here.vault)
    await handling.by_person(command, Principal("system", "intake"), stream=stream, command_id=this)
    return True


async def registered(log: LogReader, office_id: str) -> bool:
    """Whether an office of this id may file."""
    found = await Folded.load(log, f"office:{office_id}", State(), evolve)
    return found is not None and found.state.office_registered


ENROLMENT: Final = Enrolment(ROLES, {"office_operator": Seat("office", registered)}, {"office": office}, (OFFICE,))

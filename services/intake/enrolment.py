"""Who may be enrolled at intake: its staff, and the counter offices that file for citizens."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from caselog.read import LogReader
from chassis.command_ids import http_command
from chassis.enrolling.enrolment import Enrolment, Seat
from chassis.enrolling.typed import EnrolmentRefused, NotUnderstood, Options, identifier, named, whole
from chassis.folding import Folded
from chassis.refusal import RequestDiffers
from chassis.standing import Standing
from chassis.web.principal import Principal
from schemas.fact import StreamKind
from schemas.facts.intake import OfficeChanged, OfficeRegistered
from services.intake.commands import ChangeOffice, RegisterOffice
from services.intake.decide import State, evolve
from services.intake.handle import Handling

ROLES: Final = ("office_operator", "identity_clerk", "engineer")
"""The staff of this desk (domain.md, Who acts)."""
REGISTER: Final = "office register OFFICE --fa NAME --en NAME --district DISTRICT"
CHANGE: Final = "office change OFFICE [--fa NAME] [--en NAME] [--district DISTRICT]"
LIST: Final = "office list"


async def office(here: Standing, arguments: list[str]) -> str:
    """`office register`, `change` and `list`. Raises EnrolmentRefused, NotUnderstood, WrongDistrict."""
    match arguments:
        case ["register", *rest]:
            given = _read(REGISTER, rest, required=True)
            command = RegisterOffice(
                name_fa=named("--fa", given.fa), name_en=named("--en", given.en), district=whole("--district", given.district)
            )
            new = await register(here, identifier("OFFICE", given.office), command)
            return f"{given.office} is registered" + ("" if new else " already so; nothing was changed")
        case ["change", *rest]:
            given = _read(CHANGE, rest, required=False)
            return await _change(here, identifier("OFFICE", given.office), given)
        case ["list"]:
            return "\n".join([await _line(here.log, each) for each in await here.log.streams(StreamKind.OFFICE)]) or (
                "no office is registered"
            )
    raise NotUnderstood("it is:\n  " + "\n  ".join((REGISTER, CHANGE, LIST)))


def _read(usage: str, arguments: list[str], *, required: bool) -> Namespace:
    options = Options(usage)
    options.add_argument("office")
    for each in ("--fa", "--en", "--district"):
        options.add_argument(each, required=required)
    return options.read(arguments)


async def register(here: Standing, office_id: str, command: RegisterOffice) -> bool:
    """Let an office file from now on; whether it could not before. Raises EnrolmentRefused, or what `decide` refuses."""
    stream = f"office:{office_id}"
    if found := await Folded.load(here.log, stream, State(), evolve):
        if _registration(found).model_dump() == command.model_dump():
            return False
        raise EnrolmentRefused("OFFICE", "it is registered with another name or district; `office change` changes it")
    await _send(here, command, stream, "register")
    return True


async def _change(here: Standing, office_id: str, given: Namespace) -> str:
    """Give an office other names or another district; what is not given stays as it is."""
    stream = f"office:{office_id}"
    found = await Folded.load(here.log, stream, State(), evolve)
    if found is None:
        raise EnrolmentRefused("OFFICE", "there is no such office; `office register` registers it")
    now = _registration(found)
    wanted = ChangeOffice(
        name_fa=now.name_fa if given.fa is None else named("--fa", given.fa),
        name_en=now.name_en if given.en is None else named("--en", given.en),
        district=now.district if given.district is None else whole("--district", given.district),
        hours=now.hours,
    )
    if wanted.model_dump() == now.model_dump():
        return f"{office_id} is so already; nothing was changed"
    try:
        # Named by the version that was read: of two who change it at once, one must not take back what the other changed.
        await _send(here, wanted, stream, f"change after {found.version}")
    except RequestDiffers:
        raise EnrolmentRefused("OFFICE", "somebody else changed it meanwhile; look with `office list`, then try again") from None
    return f"{office_id} is changed"


async def _send(here: Standing, command: RegisterOffice | ChangeOffice, stream: str, key: str) -> None:
    this = http_command("intake", "system", "/enrolment", stream, key)
    handling = Handling(here.handler, here.vault)
    await handling.by_person(command, Principal("system", "intake"), stream=stream, command_id=this)


def _registration(found: Folded[State]) -> OfficeRegistered | OfficeChanged:
    """The registration as it stands: whole in the last fact that says it."""
    return next(fact for _, fact in reversed(found.facts) if isinstance(fact, OfficeRegistered | OfficeChanged))


async def _line(log: LogReader, stream: str) -> str:
    found = await Folded.load(log, stream, State(), evolve)
    if found is None:
        raise LookupError(stream)
    now = _registration(found)
    return f"{stream.removeprefix('office:'):<24} district {now.district}  {now.name_fa} / {now.name_en}"


async def registered(log: LogReader, office_id: str) -> bool:
    """Whether an office of this id may file."""
    found = await Folded.load(log, f"office:{office_id}", State(), evolve)
    return found is not None and found.state.office_registered


ENROLMENT: Final = Enrolment(ROLES, {"office_operator": Seat("office", registered)}, {"office": office}, (REGISTER, CHANGE, LIST))

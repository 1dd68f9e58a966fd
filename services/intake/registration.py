"""Who may be enrolled at intake: its staff, and the counter offices that file for citizens."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Final

from caselog.read import LogReader
from chassis.accounts.cli_input import DAYS, NotUnderstood, Options, RegistrationRefused, identifier, named, weekly, whole
from chassis.accounts.registration import Registration, Seat
from chassis.eventing.commands.handler import SYSTEM
from chassis.principal import Principal
from chassis.refusal import RequestDiffers
from chassis.runtime.container import Container
from chassis.web.formats import time_of_day
from schemas.fact import StreamKind
from schemas.facts.intake import OfficeHours
from services.intake.commands import ChangeOffice, RegisterOffice
from services.intake.decide import DECIDER
from services.intake.read import Office, Opening

ROLES: Final = ("office_operator", "identity_clerk", "engineer")
"""The staff of this desk (domain.md, Who acts)."""
REGISTER: Final = "office register OFFICE --fa NAME --en NAME --district DISTRICT [--hours sat-wed=08:00-14:00 ...]"
CHANGE: Final = "office change OFFICE [--fa NAME] [--en NAME] [--district DISTRICT] [--hours sat-wed=08:00-14:00 ... | none]"
LIST: Final = "office list"


async def office(container: Container, arguments: list[str]) -> str:
    """`office register`, `change` and `list`. Raises RegistrationRefused, NotUnderstood, WrongDistrict."""
    match arguments:
        case ["register", *rest]:
            given = _read(REGISTER, rest, required=True)
            command = RegisterOffice(
                name_fa=named("--fa", given.fa),
                name_en=named("--en", given.en),
                district=whole("--district", given.district),
                hours=_hours(given.hours or ()),
            )
            new = await register(container, identifier("OFFICE", given.office), command)
            return f"{given.office} is registered" + ("" if new else " already so; nothing was changed")
        case ["change", *rest]:
            given = _read(CHANGE, rest, required=False)
            return await _change(container, identifier("OFFICE", given.office), given)
        case ["list"]:
            streams = await container.log.streams(StreamKind.OFFICE)
            found = [await Office.read(container.log, each.removeprefix("office:")) for each in streams]
            return "\n".join(map(_line, filter(None, found))) or "no office is registered"
    raise NotUnderstood("it is:\n  " + "\n  ".join((REGISTER, CHANGE, LIST)))


def _read(usage: str, arguments: list[str], *, required: bool) -> Namespace:
    options = Options(usage)
    options.add_argument("office")
    for each in ("--fa", "--en", "--district"):
        options.add_argument(each, required=required)
    options.add_argument("--hours", action="extend", nargs="+")
    return options.read(arguments)


def _hours(texts: Sequence[str]) -> tuple[OfficeHours, ...]:
    return tuple(OfficeHours(weekday=day, opens=opens, closes=closes) for day, opens, closes in weekly("--hours", texts))


async def register(container: Container, office_id: str, command: RegisterOffice) -> bool:
    """Let an office file from now on; whether it could not before. Raises RegistrationRefused, or what `decide` refuses."""
    if found := await Office.read(container.log, office_id):
        if found.registration.model_dump() == command.model_dump():
            return False
        raise RegistrationRefused("OFFICE", "it is registered with another name, district or hours; `office change` changes it")
    await _send(container, command, office_id, "register")
    return True


async def _change(container: Container, office_id: str, given: Namespace) -> str:
    """Give an office other names, another district or other hours; what is not given stays as it is."""
    found = await Office.read(container.log, office_id)
    if found is None:
        raise RegistrationRefused("OFFICE", "there is no such office; `office register` registers it")
    now = found.registration
    wanted = ChangeOffice(
        name_fa=now.name_fa if given.fa is None else named("--fa", given.fa),
        name_en=now.name_en if given.en is None else named("--en", given.en),
        district=now.district if given.district is None else whole("--district", given.district),
        hours=now.hours if given.hours is None else _hours(given.hours),
    )
    if wanted.model_dump() == now.model_dump():
        return f"{office_id} is so already; nothing was changed"
    try:
        # Named by the version that was read: of two who change it at once, one must not take back what the other changed.
        await _send(container, wanted, office_id, f"change after {found.version}")
    except RequestDiffers:
        raise RegistrationRefused(
            "OFFICE", "somebody else changed it meanwhile; look with `office list`, then try again"
        ) from None
    return f"{office_id} is changed"


async def _send(container: Container, command: RegisterOffice | ChangeOffice, office_id: str, key: str) -> None:
    stream = f"office:{office_id}"
    await container.handler(DECIDER).execute(command, by=Principal(SYSTEM, "intake"), on=stream, key=key)


def _line(found: Office) -> str:
    now, hours = found.registration, " ".join(map(_typed, found.openings)) or "no hours"
    return f"{found.office_id:<24} district {now.district}  {now.name_fa} / {now.name_en}  {hours}"


def _typed(opening: Opening) -> str:
    """As it is typed: whoever changes one day of it begins with the line that is there."""
    days = "-".join(DAYS[each] for each in sorted({opening.first, opening.last}))
    return " ".join(f"{days}={time_of_day(opens, 'en')}-{time_of_day(closes, 'en')}" for opens, closes in opening.times)


async def registered(log: LogReader, office_id: str) -> bool:
    """Whether an office of this id may file."""
    return await Office.read(log, office_id) is not None


REGISTRATION: Final = Registration(
    ROLES, {"office_operator": Seat("office", registered)}, {"office": office}, (REGISTER, CHANGE, LIST)
)

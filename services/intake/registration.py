"""Registration at intake: its staff, and the counter offices that file for citizens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from caselog.read import LogReader
from chassis.accounts.cli_input import RegistrationRefused, identifier, named, whole
from chassis.accounts.registration import Registration, Seat, run_at
from chassis.eventing.commands.handler import SYSTEM
from chassis.principal import Principal
from chassis.refusal import RequestDiffers
from chassis.runtime.container import Container
from chassis.web.formats import time_of_day
from schemas.command_line import CommandLine
from schemas.envelope.fact import StreamKind
from schemas.facts.intake import OfficeHours
from services.intake.commands import ChangeOffice, RegisterOffice
from services.intake.decide import DECIDER
from services.intake.opening_hours import DAYS, weekly
from services.intake.read import Office, Opening

ROLES: Final = ("office_operator", "identity_clerk", "engineer")
"""The staff of this desk (domain.md, Who acts)."""
OFFICE: Final = CommandLine("The counter offices that file for citizens.")
OfficeId = Annotated[str, typer.Argument(metavar="OFFICE", help="The office; its id never changes.")]
FA: Final = typer.Option(metavar="NAME", help="The name of the office in Persian.")
EN: Final = typer.Option(metavar="NAME", help="The name of the office in English.")
DISTRICT: Final = typer.Option(metavar="DISTRICT", help="The district that the office is in.")
HOURS: Final = typer.Option(metavar="DAYS=TIME ...", help="Opening hours: sat-wed=08:00-14:00 thu=08:00-12:00, or none.")


@OFFICE.command("register", several=["--hours"])
async def register_office(
    context: typer.Context,
    office: OfficeId,
    fa: Annotated[str, FA],
    en: Annotated[str, EN],
    district: Annotated[str, DISTRICT],
    hours: Annotated[list[str] | None, HOURS] = None,
) -> int:
    """Register an office, so that it may file."""

    async def done(container: Container) -> str:
        command = RegisterOffice(
            name_fa=named("--fa", fa),
            name_en=named("--en", en),
            district=whole("--district", district),
            hours=_hours(hours or ()),
        )
        new = await register(container, identifier("OFFICE", office), command)
        return f"{office} is registered" if new else f"Nothing was changed: {office} is already registered with these details."

    return await run_at(context, done)


@OFFICE.command("change", several=["--hours"])
async def change_office(
    context: typer.Context,
    office: OfficeId,
    fa: Annotated[str | None, FA] = None,
    en: Annotated[str | None, EN] = None,
    district: Annotated[str | None, DISTRICT] = None,
    hours: Annotated[list[str] | None, HOURS] = None,
) -> int:
    """Change the names, the district or the hours of an office; what is not given stays as it is."""

    async def done(container: Container) -> str:
        return await change(container, identifier("OFFICE", office), fa, en, district, hours)

    return await run_at(context, done)


@OFFICE.command("list")
async def list_offices(context: typer.Context) -> int:
    """List the offices."""

    async def done(container: Container) -> str:
        streams = await container.log.streams(StreamKind.OFFICE)
        found = [await Office.read(container.log, each.removeprefix("office:")) for each in streams]
        return "\n".join(map(_line, filter(None, found))) or "no offices are registered"

    return await run_at(context, done)


def _hours(texts: Sequence[str]) -> tuple[OfficeHours, ...]:
    return tuple(OfficeHours(weekday=day, opens=opens, closes=closes) for day, opens, closes in weekly("--hours", texts))


async def register(container: Container, office_id: str, command: RegisterOffice) -> bool:
    """Register an office; False if it already was. Raises RegistrationRefused, or what `decide` refuses."""
    if found := await Office.read(container.log, office_id):
        if found.registration.model_dump() == command.model_dump():
            return False
        raise RegistrationRefused(
            "OFFICE", "it is registered with a different name, district or hours; `office change` changes them"
        )
    await _send(container, command, office_id, "register")
    return True


async def change(
    container: Container,
    office_id: str,
    fa: str | None = None,
    en: str | None = None,
    district: str | None = None,
    hours: Sequence[str] | None = None,
) -> str:
    """Change the given details, as typed; returns the outcome in words. Raises RegistrationRefused, WrongDistrict."""
    found = await Office.read(container.log, office_id)
    if found is None:
        raise RegistrationRefused("OFFICE", "there is no such office; `office register` adds it")
    now = found.registration
    wanted = ChangeOffice(
        name_fa=now.name_fa if fa is None else named("--fa", fa),
        name_en=now.name_en if en is None else named("--en", en),
        district=now.district if district is None else whole("--district", district),
        hours=now.hours if not hours else _hours(hours),
    )
    if wanted.model_dump() == now.model_dump():
        return f"Nothing was changed: {office_id} already has these details."
    try:
        # Named by the version that was read: of two who change it at once, one must not take back what the other changed.
        await _send(container, wanted, office_id, f"change after {found.version}")
    except RequestDiffers:
        raise RegistrationRefused(
            "OFFICE", "somebody else has changed it in the meantime; check `office list`, then try again"
        ) from None
    return f"{office_id} was changed"


async def _send(container: Container, command: RegisterOffice | ChangeOffice, office_id: str, key: str) -> None:
    stream = f"office:{office_id}"
    await container.handler(DECIDER).execute(command, by=Principal(SYSTEM, "intake"), on=stream, key=key)


def _line(found: Office) -> str:
    now, hours = found.registration, " ".join(map(_typed, found.openings)) or "no hours"
    return f"{found.office_id:<24} district {now.district}  {now.name_fa} / {now.name_en}  {hours}"


def _typed(opening: Opening) -> str:
    """In the form in which it is typed, so that changing one day can start from the current line."""
    days = "-".join(DAYS[each] for each in sorted({opening.first, opening.last}))
    return " ".join(f"{days}={time_of_day(opens, 'en')}-{time_of_day(closes, 'en')}" for opens, closes in opening.times)


async def registered(log: LogReader, office_id: str) -> bool:
    """Whether an office of this id may file."""
    return await Office.read(log, office_id) is not None


REGISTRATION: Final = Registration(ROLES, {"office_operator": Seat("office", registered)}, {"office": OFFICE})

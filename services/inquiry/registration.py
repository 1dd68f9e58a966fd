"""Registration at inquiry: the agencies of the catalogue, and their officers."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from caselog.read import LogReader
from chassis.accounts.cli_input import RegistrationRefused
from chassis.accounts.registration import Registration, Seat, run_at
from chassis.eventing.commands.handler import SYSTEM
from chassis.eventing.commands.loaded_stream import LoadedStream
from chassis.principal import Principal
from chassis.runtime.container import Container
from schemas.catalogue import Labelled, catalogue
from schemas.command_line import CommandLine
from services.inquiry.commands import RegisterAgency
from services.inquiry.decide import DECIDER

ROLES: Final = ("agency_officer",)
"""The staff of this desk (domain.md, Who acts)."""
AGENCY: Final = CommandLine("The agencies of the catalogue, and which are registered.")


@AGENCY.command("register")
async def register_agency(
    context: typer.Context, agency: Annotated[str, typer.Argument(metavar="AGENCY", help="Its key in the catalogue.")]
) -> int:
    """Register an agency, under its names in the catalogue."""

    async def done(container: Container) -> str:
        new = await register(container, agency)
        return f"{agency} is registered" if new else f"Nothing was changed: {agency} is already registered."

    return await run_at(context, done)


@AGENCY.command("list")
async def list_agencies(context: typer.Context) -> int:
    """List the agencies of the catalogue, and whether each is registered."""

    async def done(container: Container) -> str:
        return "\n".join([await _line(container.log, each) for each in catalogue().codes["agencies"].values()])

    return await run_at(context, done)


async def _line(log: LogReader, agency: Labelled) -> str:
    state = "registered" if await registered(log, agency.key) else "not registered"
    return f"{agency.key:<24} {state:<14}  {agency.fa} / {agency.en}"


async def register(container: Container, key: str) -> bool:
    """Register an agency, under its names in the catalogue; False if it already was. Raises RegistrationRefused."""
    agencies = catalogue().codes["agencies"]
    if key not in agencies:
        raise RegistrationRefused("AGENCY", f"the agencies of the catalogue are {', '.join(agencies)}")
    if await registered(container.log, key):
        return False
    stream = f"agency:{key}"
    command = RegisterAgency(agency=key, name_fa=agencies[key].fa, name_en=agencies[key].en)
    await container.handler(DECIDER).execute(command, by=Principal(SYSTEM, "inquiry"), on=stream, key="register")
    return True


async def registered(log: LogReader, key: str) -> bool:
    """Whether an agency is registered."""
    if key not in catalogue().codes["agencies"]:
        return False
    found = await LoadedStream.load(log, f"agency:{key}", DECIDER)
    return found is not None and found.state.registered


REGISTRATION: Final = Registration(ROLES, {"agency_officer": Seat("agency", registered)}, {"agency": AGENCY})

"""The local accounts of a desk: made, changed, closed, opened again and listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from caselog.db.pool import create_pool
from caselog.read import LogReader, reading
from chassis.accounts.accounts import Account, Accounts, StoredAccount, UsernameTaken
from chassis.accounts.cli_input import RegistrationRefused, ask_password, identifier, named, username
from chassis.accounts.oidc.people import STAFF
from chassis.accounts.registration import Desk, Registration, run_reporting
from chassis.accounts.sessions import Sessions
from chassis.principal import Principal
from schemas.command_line import CommandLine

ACCOUNT: Final = CommandLine("The local accounts of this desk. Passwords are asked for, never given as arguments.")
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="The account.")]
Office = Annotated[str | None, typer.Option(metavar="OFFICE", help="The counter office that the account belongs to.")]
Agency = Annotated[str | None, typer.Option(metavar="AGENCY", help="The agency that the account belongs to.")]
ROLE: Final = typer.Option(metavar="ROLE", help="The person's role at this desk.")
NAME: Final = typer.Option(metavar="NAME", help="The person's name.")


class AccountDesk:
    """The accounts of one service, for whoever administers them."""

    def __init__(
        self, accounts: Accounts, log: LogReader, registration: Registration, ask: Callable[[str], str] = ask_password
    ) -> None:
        self._accounts, self._log, self._registration, self._ask = accounts, log, registration, ask

    async def add(
        self, subject: str, typed: str, role: str, person_name: str, office: str | None = None, agency: str | None = None
    ) -> str:
        """Create an account; `typed` is its user name. Returns the outcome in words. Raises RegistrationRefused."""
        subject, name = identifier("SUBJECT", subject), username(typed)
        person = Principal(role, subject, named("--name", person_name), office, agency)
        wanted = StoredAccount(person, name, active=True)
        if subject.startswith(STAFF):
            raise RegistrationRefused("SUBJECT", f"starts with {STAFF}, which is kept for those who sign in by OpenID Connect")
        if (found := await self._accounts.find(subject)) is not None:
            return _as_it_is(found, wanted)
        await self._fits(person)
        if any(each.username == name for each in await self._accounts.all()):
            raise RegistrationRefused("--username", "another account has it")
        account = Account(subject, name, self._ask(name), role, person.name, office, agency)
        try:
            made = await self._accounts.make(account)
        except UsernameTaken:
            raise RegistrationRefused("--username", "another account has it") from None
        if not made:
            raise RegistrationRefused("SUBJECT", "somebody else has created this account in the meantime; nothing was changed")
        return f"{subject} may sign in as {name}"

    async def change(
        self,
        subject: str,
        role: str | None = None,
        name: str | None = None,
        office: str | None = None,
        agency: str | None = None,
    ) -> str:
        """Change the given details. Returns the outcome in words. Raises RegistrationRefused."""
        found = (await self._open(subject)).principal
        role = role or found.role
        seat = self._registration.seats.get(role)
        # Of another role's seat nothing is taken along: who moves to a role without a seat keeps none.
        kept = seat.kind if seat else ""
        wanted = replace(
            found,
            role=role,
            name=named("--name", name) if name else found.name,
            office=office or (found.office if kept == "office" else None),
            agency=agency or (found.agency if kept == "agency" else None),
        )
        if wanted == found:
            return f"Nothing was changed: {subject} already has these details."
        await self._fits(wanted)
        await self._accounts.change(wanted)
        changed = "was changed, and its sessions were ended"
        return await self._and_still(subject, changed) if role != found.role else f"{subject} {changed}"

    async def password(self, subject: str) -> str:
        """Returns the outcome in words. Raises RegistrationRefused."""
        found = await self._open(subject)
        await self._accounts.open_with(subject, self._ask(found.username))
        return f"{subject} has a new password, and its sessions were ended"

    async def close(self, subject: str) -> str:
        """Returns the outcome in words. Raises RegistrationRefused."""
        found = await self._known(subject)
        # Also where it is closed: a session that somehow stands must not outlive the command that was to end it.
        await self._accounts.close(subject)
        return await self._and_still(subject, "was closed, and its sessions were ended" if found.active else "was already closed")

    async def reopen(self, subject: str) -> str:
        """Returns the outcome in words. Raises RegistrationRefused."""
        found = await self._known(subject)
        if found.active:
            return f"Nothing was changed: {subject} is already open."
        await self._fits(found.principal)
        await self._accounts.open_with(subject, self._ask(found.username))
        return f"{subject} may sign in again as {found.username}"

    async def list_all(self) -> str:
        """A line for each account."""
        return "\n".join(map(_line, await self._accounts.all())) or "there are no accounts"

    async def _known(self, subject: str) -> StoredAccount:
        if (found := await self._accounts.find(subject)) is None:
            raise RegistrationRefused("SUBJECT", "there is no such account at this desk")
        return found

    async def _open(self, subject: str) -> StoredAccount:
        found = await self._known(subject)
        if not found.active:
            raise RegistrationRefused("SUBJECT", "this account is closed; `account reopen` reopens it")
        return found

    async def _and_still(self, subject: str, what: str) -> str:
        still = await self._registration.still(self._log, subject)
        return f"{subject} {what}" + (f"\n{still}" if still else "")

    async def _fits(self, principal: Principal) -> None:
        """Raises RegistrationRefused when this desk has no such role, or the role no such seat."""
        roles, role = self._registration.roles, principal.role
        if role not in roles:
            raise RegistrationRefused("--role", f"the roles of this desk are {', '.join(roles)}")
        seat = self._registration.seats.get(role)
        for kind, value in (("office", principal.office), ("agency", principal.agency)):
            if seat is None or seat.kind != kind:
                if value:
                    raise RegistrationRefused(f"--{kind}", f"{role} belongs to no {kind}")
            elif not value:
                raise RegistrationRefused(f"--{kind}", f"{role} belongs to an {kind}; name it")
            elif not await seat.exists(self._log, value):
                raise RegistrationRefused(f"--{kind}", f"there is no {kind} with this id; `{kind} register` adds it")


def _as_it_is(found: StoredAccount, wanted: StoredAccount) -> str:
    """The same account made again changes nothing. Raises RegistrationRefused at what differs."""
    if not found.active:
        # A script that makes the city's accounts, run again, must not let in who has left.
        raise RegistrationRefused("SUBJECT", "this account is closed; `account reopen` reopens it")
    if found.username != wanted.username:
        raise RegistrationRefused("--username", "this account has another one, which never changes")
    for each in ("role", "name", "office", "agency"):
        if getattr(found.principal, each) != getattr(wanted.principal, each):
            raise RegistrationRefused(f"--{each}", "this account has another one; `account change` changes it")
    return f"Nothing was changed: {wanted.principal.subject} already exists, and keeps its password."


def _line(kept: StoredAccount) -> str:
    who = kept.principal
    seat = who.office or who.agency or "-"
    return f"{who.subject:<24} {kept.username:<20} {who.role:<16} {seat:<16} {'open' if kept.active else 'closed':<6} {who.name}"


async def _at_desk(context: typer.Context, done: Callable[[AccountDesk], Awaitable[str]]) -> int:
    """Carry it out; the exit code: 0 done or so already, 1 refused, 2 not set."""
    desk: Desk[Any] = context.obj

    async def opened() -> str:
        settings, service = desk.settings, desk.service
        async with (
            create_pool(settings.as_service(service, service), min_size=1, max_size=1) as db,
            reading(settings.as_reader(service)) as log,
        ):
            return await done(AccountDesk(Accounts(db, Sessions(db)), log, desk.registration))

    return await run_reporting(desk.service, opened)


@ACCOUNT.command()
async def add(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The name of the account, which never changes.")],
    username: Annotated[str, typer.Option(metavar="USERNAME", help="The user name to sign in with.")],
    role: Annotated[str, ROLE],
    name: Annotated[str, NAME],
    office: Office = None,
    agency: Agency = None,
) -> int:
    """Create an account; asks for its password."""
    return await _at_desk(context, lambda desk: desk.add(subject, username, role, name, office, agency))


@ACCOUNT.command()
async def change(
    context: typer.Context,
    subject: Subject,
    role: Annotated[str | None, ROLE] = None,
    name: Annotated[str | None, NAME] = None,
    office: Office = None,
    agency: Agency = None,
) -> int:
    """Change the given details of an account and end its sessions."""
    return await _at_desk(context, lambda desk: desk.change(subject, role, name, office, agency))


@ACCOUNT.command()
async def password(context: typer.Context, subject: Subject) -> int:
    """Set a new password, which is asked for, and end the account's sessions."""
    return await _at_desk(context, lambda desk: desk.password(subject))


@ACCOUNT.command()
async def close(context: typer.Context, subject: Subject) -> int:
    """Close an account and end its sessions."""
    return await _at_desk(context, lambda desk: desk.close(subject))


@ACCOUNT.command()
async def reopen(context: typer.Context, subject: Subject) -> int:
    """Reopen a closed account with a new password, which is asked for."""
    return await _at_desk(context, lambda desk: desk.reopen(subject))


@ACCOUNT.command("list")
async def list_all(context: typer.Context) -> int:
    """List the accounts."""
    return await _at_desk(context, lambda desk: desk.list_all())

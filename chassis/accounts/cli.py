"""The local accounts of a desk: made, changed, closed, opened again and listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from caselog.db.pool import create_pool
from caselog.read import LogReader, reading
from chassis.accounts.accounts import Account, Accounts, StoredAccount, UsernameTaken
from chassis.accounts.cli_input import NotUnderstood, Options, RegistrationRefused, ask_password, identifier, named, username
from chassis.accounts.oidc.people import STAFF
from chassis.accounts.registration import Registration, run_reporting
from chassis.accounts.sessions import Sessions
from chassis.principal import Principal
from chassis.settings import Settings

ACCOUNT: Final = (
    "account add SUBJECT --username USERNAME --role ROLE --name NAME [--office OFFICE] [--agency AGENCY]",
    "account change SUBJECT [--role ROLE] [--name NAME] [--office OFFICE] [--agency AGENCY]",
    "account password SUBJECT",
    "account close SUBJECT",
    "account reopen SUBJECT",
    "account list",
)
"""The commands that every desk has; a password is asked."""


class AccountDesk:
    """The accounts of one service, for whoever administers them."""

    def __init__(
        self, accounts: Accounts, log: LogReader, registration: Registration[Any], ask: Callable[[str], str] = ask_password
    ) -> None:
        self._accounts, self._log, self._registration, self._ask = accounts, log, registration, ask

    async def run(self, arguments: list[str]) -> str:
        """What became of it, in sentences. Raises RegistrationRefused, NotUnderstood."""
        match arguments:
            case ["add", *rest]:
                return await self._add(rest)
            case ["change", *rest]:
                return await self._change(rest)
            case ["password", subject]:
                return await self._password(subject)
            case ["close", subject]:
                return await self._close(subject)
            case ["reopen", subject]:
                return await self._reopen(subject)
            case ["list"]:
                return "\n".join(map(_line, await self._accounts.all())) or "there is no account"
        raise NotUnderstood("it is:\n  " + "\n  ".join(ACCOUNT))

    async def _add(self, arguments: list[str]) -> str:
        options = Options(ACCOUNT[0])
        options.add_argument("subject")
        for each in ("--username", "--role", "--name"):
            options.add_argument(each, required=True)
        for each in ("--office", "--agency"):
            options.add_argument(each)
        given = options.read(arguments)
        subject, name = identifier("SUBJECT", given.subject), username(given.username)
        person = Principal(given.role, subject, named("--name", given.name), given.office, given.agency)
        wanted = StoredAccount(person, name, active=True)
        if subject.startswith(STAFF):
            raise RegistrationRefused("SUBJECT", f"begins with {STAFF}, as those who sign in by OpenID Connect are called")
        if (found := await self._accounts.find(subject)) is not None:
            return _as_it_is(found, wanted)
        await self._fits(person)
        if any(each.username == name for each in await self._accounts.all()):
            raise RegistrationRefused("--username", "another account has it")
        account = Account(subject, name, self._ask(name), given.role, person.name, given.office, given.agency)
        try:
            made = await self._accounts.make(account)
        except UsernameTaken:
            raise RegistrationRefused("--username", "another account has it") from None
        if not made:
            raise RegistrationRefused("SUBJECT", "somebody else made this account meanwhile; nothing was changed")
        return f"{subject} may sign in as {name}"

    async def _change(self, arguments: list[str]) -> str:
        options = Options(ACCOUNT[1])
        options.add_argument("subject")
        for each in ("--role", "--name", "--office", "--agency"):
            options.add_argument(each)
        given = options.read(arguments)
        found = (await self._open(given.subject)).principal
        role = given.role or found.role
        seat = self._registration.seats.get(role)
        # Of another role's seat nothing is taken along: who was an operator of an office belongs to none as a clerk.
        kept = seat.kind if seat else ""
        wanted = replace(
            found,
            role=role,
            name=named("--name", given.name) if given.name else found.name,
            office=given.office or (found.office if kept == "office" else None),
            agency=given.agency or (found.agency if kept == "agency" else None),
        )
        if wanted == found:
            return f"{given.subject} is so already; nothing was changed"
        await self._fits(wanted)
        await self._accounts.change(wanted)
        changed = "is changed, and its sessions are ended"
        return await self._and_still(given.subject, changed) if role != found.role else f"{given.subject} {changed}"

    async def _password(self, subject: str) -> str:
        found = await self._open(subject)
        await self._accounts.open_with(subject, self._ask(found.username))
        return f"{subject} has the new password, and its sessions are ended"

    async def _close(self, subject: str) -> str:
        found = await self._known(subject)
        # Also where it is closed: a session that somehow stands must not outlive the command that was to end it.
        await self._accounts.close(subject)
        return await self._and_still(subject, "is closed, and its sessions are ended" if found.active else "was closed already")

    async def _reopen(self, subject: str) -> str:
        found = await self._known(subject)
        if found.active:
            return f"{subject} is open already; nothing was changed"
        await self._fits(found.principal)
        await self._accounts.open_with(subject, self._ask(found.username))
        return f"{subject} may sign in again as {found.username}"

    async def _known(self, subject: str) -> StoredAccount:
        if (found := await self._accounts.find(subject)) is None:
            raise RegistrationRefused("SUBJECT", "there is no such account at this desk")
        return found

    async def _open(self, subject: str) -> StoredAccount:
        found = await self._known(subject)
        if not found.active:
            raise RegistrationRefused("SUBJECT", "this account is closed; `account reopen` opens it again")
        return found

    async def _and_still(self, subject: str, what: str) -> str:
        still = await self._registration.still(self._log, subject)
        return f"{subject} {what}" + (f"\n{still}" if still else "")

    async def _fits(self, principal: Principal) -> None:
        """Raises RegistrationRefused when this desk has no such role, or the role no such seat."""
        roles, role = self._registration.roles, principal.role
        if role not in roles:
            raise RegistrationRefused("--role", f"this desk has {', '.join(roles)}")
        seat = self._registration.seats.get(role)
        for kind, value in (("office", principal.office), ("agency", principal.agency)):
            if seat is None or seat.kind != kind:
                if value:
                    raise RegistrationRefused(f"--{kind}", f"{role} belongs to none")
            elif not value:
                raise RegistrationRefused(f"--{kind}", f"{role} belongs to one; name it")
            elif not await seat.exists(self._log, value):
                raise RegistrationRefused(f"--{kind}", f"there is none of this id; `{kind} register` registers it")


def _as_it_is(found: StoredAccount, wanted: StoredAccount) -> str:
    """The same account made again changes nothing. Raises RegistrationRefused at what differs."""
    if not found.active:
        # A script that makes the city's accounts, run again, must not let in who has left.
        raise RegistrationRefused("SUBJECT", "this account is closed; `account reopen` opens it again")
    if found.username != wanted.username:
        raise RegistrationRefused("--username", "this account is there with another, which never changes")
    for each in ("role", "name", "office", "agency"):
        if getattr(found.principal, each) != getattr(wanted.principal, each):
            raise RegistrationRefused(f"--{each}", "this account is there with another; `account change` changes it")
    return f"{wanted.principal.subject} is there already; nothing was changed, and its password is the one it had"


def _line(kept: StoredAccount) -> str:
    who = kept.principal
    seat = who.office or who.agency or "-"
    return f"{who.subject:<24} {kept.username:<20} {who.role:<16} {seat:<16} {'open' if kept.active else 'closed':<6} {who.name}"


async def accounts(settings: Settings, service: str, registration: Registration[Any], arguments: list[str]) -> int:
    """Carry out `account ...` at one service; the exit code: 0 done or so already, 1 refused, 2 not understood."""

    async def done() -> str:
        async with (
            create_pool(settings.as_service(service, service), min_size=1, max_size=1) as db,
            reading(settings.as_reader(service)) as log,
        ):
            return await AccountDesk(Accounts(db, Sessions(db)), log, registration).run(arguments)

    return await run_reporting(service, done)

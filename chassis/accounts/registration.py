"""What a desk says of itself to whoever enrols people there, and how a command ends."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

import typer

from caselog.read import LogReader
from chassis.accounts.cli_input import RegistrationRefused
from chassis.privacy.key_files import KeyFileMissing
from chassis.refusal import Refusal
from chassis.settings import Settings, Unset
from schemas.command_line import CommandLine

Exists = Callable[[LogReader, str], Awaitable[bool]]
C = TypeVar("C")
"""What the desk's service stands on."""


async def _nothing(_log: LogReader, _subject: str) -> str:
    return ""


@dataclass(frozen=True)
class Seat:
    """What an account of a role belongs to."""

    kind: str
    """`office` or `agency`."""
    exists: Exists
    """Whether there is one of this id."""


@dataclass(frozen=True)
class Registration:
    """Who may be enrolled at a desk, and how."""

    roles: tuple[str, ...]
    """Of its local accounts."""
    seats: Mapping[str, Seat] = field(default_factory=dict)
    """By role; a role that is not here belongs to no office and no agency."""
    commands: Mapping[str, CommandLine] = field(default_factory=dict)
    """The desk's own, each by its first word; they find a Desk in `context.obj`."""
    still: Callable[[LogReader, str], Awaitable[str]] = _nothing
    """What a person whose account was closed or changed still is at this desk, in a sentence, or nothing."""


@dataclass(frozen=True)
class Desk(Generic[C]):
    """What a command finds in `context.obj`: the desk that it was typed to."""

    service: str
    registration: Registration
    open_container: Callable[[Settings], AbstractAsyncContextManager[C]]
    read_settings: Callable[[], Settings] = Settings.from_environment
    """Raises Unset. Read when a command needs them: `--help` needs none."""

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process. Raises Unset."""
        return self.read_settings()


async def run_at(context: typer.Context, done: Callable[[C], Awaitable[str]]) -> int:
    """Carry out a desk's own command on what its service stands on; the exit code: 0 done or so already, 1 refused, 2 not set.

    `done` answers in a sentence. Raises what opening the container does.
    """
    desk: Desk[C] = context.obj

    async def opened() -> str:
        async with desk.open_container(desk.settings) as container:
            return await done(container)

    return await run_reporting(desk.service, opened)


async def run_reporting(service: str, done: Callable[[], Awaitable[str]]) -> int:
    """Say what became of a command; the exit code."""
    try:
        sys.stdout.write(f"{await done()}\n")
    except RegistrationRefused as refused:
        sys.stderr.write(f"{service} {refused}\n")
        return 1
    except Refusal as refusal:
        sys.stderr.write(f"{service} {refusal.field or 'it'}: {refusal.default_text()}\n")
        return 1
    except (Unset, KeyFileMissing) as missing:
        sys.stderr.write(f"{service} {missing}\n")
        return 2
    return 0

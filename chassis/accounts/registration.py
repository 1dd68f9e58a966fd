"""What a desk says of itself to whoever enrols people there, and how a command ends."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from caselog.read import LogReader
from chassis.accounts.cli_input import NotUnderstood, RegistrationRefused
from chassis.privacy.key_files import KeyFileMissing
from chassis.refusal import Refusal
from chassis.settings import Unset

Exists = Callable[[LogReader, str], Awaitable[bool]]
C = TypeVar("C")
"""What the desk's service stands on."""
Register = Callable[[C, list[str]], Awaitable[str]]
"""A desk's own command: runs on its arguments and answers in a sentence.

Raises RegistrationRefused, NotUnderstood, Refusal.
"""


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
class Registration(Generic[C]):
    """Who may be enrolled at a desk, and how."""

    roles: tuple[str, ...]
    """Of its local accounts."""
    seats: Mapping[str, Seat] = field(default_factory=dict)
    """By role; a role that is not here belongs to no office and no agency."""
    commands: Mapping[str, Register[C]] = field(default_factory=dict)
    usage: tuple[str, ...] = ()
    """A line for each of `commands`."""
    still: Callable[[LogReader, str], Awaitable[str]] = _nothing
    """What a person whose account was closed or changed still is at this desk, in a sentence, or nothing."""


async def run_reporting(service: str, done: Callable[[], Awaitable[str]]) -> int:
    """Say what became of a command; the exit code."""
    try:
        sys.stdout.write(f"{await done()}\n")
    except NotUnderstood as usage:
        sys.stderr.write(f"{service} {usage}\n")
        return 2
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

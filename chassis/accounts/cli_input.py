"""What is typed after a command: words that are checked, and a password that is asked.

A password is asked on the terminal, or read as the first line of standard input, and is never an argument: arguments stand in
the list of processes and in the shell's history.
"""

from __future__ import annotations

import getpass
import re
import sys
from typing import Final

from schemas.envelope.identifiers import normalised

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 200
"""What the sign-in page's field takes."""
LONGEST_NAME: Final = 120
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")


class RegistrationRefused(Exception):
    """What was asked cannot be; the sentence begins with the field that is at fault, and repeats no password."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field


def identifier(field: str, text: str) -> str:
    """`text` when it can name a person, or where they work, for ever. Raises RegistrationRefused."""
    if not _ID.fullmatch(text):
        raise RegistrationRefused(field, "is 1 to 60 small Latin letters, digits, - and _, a letter or digit first")
    return text


def username(text: str) -> str:
    """A user name as it is stored. Raises RegistrationRefused."""
    found = text.strip().lower()
    if not _USERNAME.fullmatch(found):
        raise RegistrationRefused("--username", "is 2 to 60 Latin letters, digits, dots, - and _, a letter or digit first")
    return found


def named(field: str, text: str) -> str:
    """A name as it is stored. Raises RegistrationRefused."""
    found = normalised(text)
    if not 1 <= len(found) <= LONGEST_NAME or not all(each.isprintable() or each == "\u200c" for each in found):
        raise RegistrationRefused(field, f"is a name of 1 to {LONGEST_NAME} printable characters")
    return found


def whole(field: str, text: str) -> int:
    """A small whole number, in Persian digits too. Raises RegistrationRefused."""
    found = normalised(text)
    if not (found.isascii() and found.isdigit() and len(found) < 4):
        raise RegistrationRefused(field, "is a whole number")
    return int(found)


def ask_password(of: str) -> str:
    """A new password: twice from the terminal without showing it, or the first line of standard input.

    Raises RegistrationRefused.
    """
    if sys.stdin.isatty():
        given = getpass.getpass(f"New password of {of}: ")
        if getpass.getpass("Once more: ") != given:
            raise RegistrationRefused("password", "the two differ; nothing was changed")
    else:
        try:
            given = sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise RegistrationRefused("password", "is no UTF-8 text") from None
    if not SHORTEST_PASSWORD <= len(given) <= LONGEST_PASSWORD:
        raise RegistrationRefused("password", f"has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if of in given.lower() or len(set(given)) < 5:
        raise RegistrationRefused("password", "holds the user name, or hardly any different characters")
    return given

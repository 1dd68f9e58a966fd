"""What is typed after a command: words that are checked, and a password that is asked.

A password is asked on the terminal, or read as the first line of standard input, and is never an argument: arguments stand in
the list of processes and in the shell's history.
"""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from schemas.envelope.identifiers import normalised

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 200
"""What the sign-in page's field takes."""
LONGEST_NAME: Final = 120
DAYS: Final = ("sat", "sun", "mon", "tue", "wed", "thu", "fri")
"""How the days of Iran's week are typed; a weekday is stored as its place here."""
NO_HOURS: Final = "none"
_DAY_MINUTES: Final = 24 * 60
_HOURS: Final = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?=([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")


class RegistrationRefused(Exception):
    """What was asked cannot be; the sentence begins with the field that is at fault, and repeats no password."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field


def identifier(field: str, text: str) -> str:
    """`text` when it can name a person, an office or an agency for ever. Raises RegistrationRefused."""
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


def weekly(field: str, texts: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """The opening hours of a week, in its order: weekday, and when it opens and closes in minutes since midnight.

    Each text says days and one time, as `sat-wed=08:00-13:00`; a day may be said again with another time. `none` alone: no
    hours. Raises RegistrationRefused.
    """
    if list(texts) == [NO_HOURS]:
        return ()
    found = sorted(each for text in texts for each in _of_days(field, normalised(text).lower()))
    for (day, _, closes), (following, opens, _) in pairwise(found):
        if day == following and opens <= closes:
            raise RegistrationRefused(field, f"says times of {DAYS[day]} that meet or overlap; say them as one")
    return tuple(found)


def _of_days(field: str, text: str) -> Iterator[tuple[int, int, int]]:
    typed = _HOURS.fullmatch(text)
    if typed is None or not {typed[1], typed[2] or typed[1]} <= set(DAYS):
        days = ", ".join(DAYS)
        raise RegistrationRefused(
            field, f"is days and a time, as sat-wed=08:00-14:00 or thu=08:00-12:00 ({days}), or {NO_HOURS} alone"
        )
    first, last = DAYS.index(typed[1]), DAYS.index(typed[2] or typed[1])
    opens, closes = int(typed[3]) * 60 + int(typed[4]), int(typed[5]) * 60 + int(typed[6])
    if first > last:
        raise RegistrationRefused(field, "has its days in the order of the week, from sat to fri")
    if not opens < closes <= _DAY_MINUTES:
        raise RegistrationRefused(field, "closes on the same day, after it opens, at 24:00 at the latest")
    for day in range(first, last + 1):
        yield day, opens, closes


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

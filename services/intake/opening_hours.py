"""A counter office's opening hours as they are typed after a command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from chassis.accounts.cli_input import RegistrationRefused
from schemas.envelope.identifiers import normalised

DAYS: Final = ("sat", "sun", "mon", "tue", "wed", "thu", "fri")
"""How the days of Iran's week are typed; a weekday is stored as its place here."""
NO_HOURS: Final = "none"
_DAY_MINUTES: Final = 24 * 60
_HOURS: Final = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?=([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])")


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

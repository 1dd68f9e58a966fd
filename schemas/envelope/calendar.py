"""Iran's working time: the week, the holidays, and deadlines in working days (domain.md, Time). Pure but for its data.

The calendar is data with a version, `schemas/envelope/holidays/v<N>.toml`, since lunar holidays are announced late: a corrected
calendar is a new version, and deadlines name the version by which they were counted.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from schemas.envelope.deadline import Deadline

HURRIED: Final = 0
"""The calendar version in deadlines of a demonstration whose working days take seconds; no real calendar has it."""
TEHRAN: Final = ZoneInfo("Asia/Tehran")
_DIRECTORY: Final = Path(__file__).parent / "holidays"
_SATURDAY: Final = 6
"""ISO weekday of the first day of Iran's working week."""


class BeyondCalendar(ValueError):
    """The day lies outside the years that this version of the calendar knows; a deadline is never guessed."""


class WorkingTime(Protocol):
    """What a decision asks of a calendar: of Iran's in a city, of a hurried one in a demonstration."""

    def deadline(self, opened_at: datetime, working_days: int) -> Deadline:
        """The end of `working_days` working days from `opened_at`. Raises ValueError unless they are positive."""

    def is_working_time(self, at: datetime) -> bool:
        """Whether the municipality is open at `at` (aware)."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version of the municipality's calendar."""

    version: int
    first_day: date
    last_day: date
    weekly: MappingProxyType[int, tuple[time, time]]
    """ISO weekday (1 is Monday) -> opening and closing time; a weekday that is missing is closed."""
    short_weekdays: frozenset[int]
    """Open, but no working day is counted: Thursday's half day."""
    holidays: MappingProxyType[date, str]
    """Day -> name in Persian."""

    def is_working_day(self, day: date) -> bool:
        """Whether `day` counts as a working day. Raises BeyondCalendar outside the known years."""
        if not self.first_day <= day <= self.last_day:
            raise BeyondCalendar(f"calendar {self.version} ends on {self.last_day}")
        weekday = day.isoweekday()
        return weekday in self.weekly and weekday not in self.short_weekdays and day not in self.holidays

    def is_working_time(self, at: datetime) -> bool:
        """Whether the municipality is open at `at` (aware; Thursday's half day included)."""
        local = at.astimezone(TEHRAN)
        hours = self.weekly.get(local.isoweekday())
        self.is_working_day(local.date())  # outside the known years nothing is guessed
        return hours is not None and local.date() not in self.holidays and hours[0] <= local.time() < hours[1]

    def deadline(self, opened_at: datetime, working_days: int) -> Deadline:
        """The end of the `working_days`-th working day after the day of `opened_at` (the first day does not count).

        Raises ValueError unless `working_days` is positive, BeyondCalendar when the calendar does not reach that far.
        """
        if working_days < 1:
            raise ValueError("a deadline has at least one working day")
        day, left = opened_at.astimezone(TEHRAN).date(), working_days
        while left:
            day += timedelta(days=1)
            left -= self.is_working_day(day)
        closes = self.weekly[day.isoweekday()][1]
        due_at = datetime.combine(day, closes, TEHRAN).astimezone(UTC)
        return Deadline(due_at=due_at, working_days=working_days, calendar_version=self.version)


@cache
def calendar(version: int) -> Calendar:
    """The calendar of a version. Raises FileNotFoundError when there is none."""
    with (_DIRECTORY / f"v{version}.toml").open("rb") as file:
        data = tomllib.load(file)
    return Calendar(
        version=version,
        first_day=data["first_day"],
        last_day=data["last_day"],
        weekly=MappingProxyType({int(day): (hours["opens"], hours["closes"]) for day, hours in data["weekly"].items()}),
        short_weekdays=frozenset(data["short_weekdays"]),
        holidays=MappingProxyType({date.fromisoformat(day): name for day, name in data["holidays"].items()}),
    )


@cache
def current() -> Calendar:
    """The newest version there is."""
    return calendar(max(int(path.stem.removeprefix("v")) for path in _DIRECTORY.glob("v*.toml")))


class Newest:
    """Iran's working time by the newest calendar, which is read when it is first asked for."""

    def deadline(self, opened_at: datetime, working_days: int) -> Deadline:
        """Raises what Calendar.deadline raises."""
        return current().deadline(opened_at, working_days)

    def is_working_time(self, at: datetime) -> bool:
        """Raises BeyondCalendar outside the known years."""
        return current().is_working_time(at)


IRAN: Final[WorkingTime] = Newest()


@dataclass(frozen=True, slots=True)
class Hurried:
    """A demonstration's clock: every day is a working day, and passes while somebody looks at it."""

    seconds: float
    """How long a day takes, night and all."""

    def deadline(self, opened_at: datetime, working_days: int) -> Deadline:
        """As many hurried days after `opened_at`. Raises ValueError unless `working_days` is positive."""
        if working_days < 1:
            raise ValueError("a deadline has at least one working day")
        due_at = opened_at.astimezone(UTC) + timedelta(seconds=self.seconds * working_days)
        return Deadline(due_at=due_at, working_days=working_days, calendar_version=HURRIED)

    def is_working_time(self, at: datetime) -> bool:
        """Whether the hurried day has come to the hours of a Saturday; days are counted from the epoch."""
        passed = timedelta(days=at.timestamp() / self.seconds % 1)
        opens, closes = (timedelta(hours=each.hour, minutes=each.minute) for each in current().weekly[_SATURDAY])
        return opens <= passed < closes

"""Persian text as it is shown: Jalali dates and Persian digits."""

from __future__ import annotations

from calendar import day_name
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal
from babel.units import format_unit
from markupsafe import Markup, escape
from persiantools.jdatetime import JalaliDate

TEHRAN: Final = ZoneInfo("Asia/Tehran")
_TO_PERSIAN: Final = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_MONTHS: Final = (
    "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
)  # fmt: skip
_WEEKDAYS: Final = ("دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه", "شنبه", "یکشنبه")
FA: Final = "fa"
_SATURDAY: Final = 5
"""Where the first day of Iran's week stands in Python's, which begins with Monday."""


def digits(value: object, language: str) -> str:
    """`value` with Persian digits in Persian, as it is in English."""
    return str(value).translate(_TO_PERSIAN) if language == FA else str(value)


def _local(moment: datetime | date) -> date:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError("a moment without a time zone has no date in Tehran")
        return moment.astimezone(TEHRAN).date()
    return moment


def day(moment: datetime | date, language: str) -> str:
    """The day in Tehran, in words: `سه‌شنبه ۳ آذر ۱۴۰۵`, `24 November 2026`. Raises ValueError for a naive datetime."""
    local = _local(moment)
    if language != FA:
        return f"{local.day} {local:%B %Y}"
    jalali = JalaliDate(local)
    return digits(f"{_WEEKDAYS[local.weekday()]} {jalali.day} {_MONTHS[jalali.month - 1]} {jalali.year}", FA)


def short_day(moment: datetime | date, language: str) -> str:
    """The day in figures: `۱۴۰۵/۰۹/۰۳` in Persian (Jalali), `2026-11-24` in English."""
    local = _local(moment)
    if language != FA:
        return local.isoformat()
    jalali = JalaliDate(local)
    return digits(f"{jalali.year}/{jalali.month:02d}/{jalali.day:02d}", FA)


def clock(moment: datetime, language: str) -> str:
    """Hours and minutes in Tehran."""
    return digits(moment.astimezone(TEHRAN).strftime("%H:%M"), language)


def time_of_day(minutes: int, language: str) -> str:
    """Hours and minutes of so many minutes since midnight: `08:00`; the end of a day is `24:00`."""
    return digits(f"{minutes // 60:02}:{minutes % 60:02}", language)


def weekday(number: int, language: str) -> str:
    """The name of a day of Iran's week; 0 is Saturday."""
    place = (number + _SATURDAY) % 7
    return _WEEKDAYS[place] if language == FA else day_name[place]


def moment(value: datetime, language: str) -> Markup:
    """Day and hour as a `<time>` whose attribute a machine reads and whose text stands alone in either direction."""
    iso = value.astimezone(TEHRAN).isoformat(timespec="seconds")
    joint = "، ساعت " if language == FA else ", "
    return Markup('<time datetime="{}"><bdi>{}{}{}</bdi></time>').format(iso, day(value, language), joint, clock(value, language))


def percent(share: float, language: str) -> str:
    """A share of 1 in percent with one decimal place: `۹۹٫۵٪`, `99.5%`."""
    return _decimal(share * 100, language) + ("٪" if language == FA else "%")


def size(octets: int, language: str) -> Markup:
    """The size of a document: `۱۲٫۵ کیلوبایت`, `12.5 kB`; a kilobyte is 1,000 octets, as the unit is defined."""
    unit, value = ("megabyte", octets / 1e6) if octets >= 999_950 else ("kilobyte", octets / 1e3)
    # Babel's short form is half Latin in Persian, and its long form is long in English.
    length: Literal["long", "short"] = "long" if language == FA else "short"
    words = format_unit(value, f"digital-{unit}", length, "#,##0.0", locale=language, numbering_system="default")
    return Markup("<bdi>{}</bdi>").format(digits(words, language))


def _decimal(value: float, language: str) -> str:
    # Babel has the signs of Persian numbers, and leaves the digits Latin.
    return digits(format_decimal(value, "#,##0.0", locale=language, numbering_system="default"), language)


def figures(value: object) -> Markup:
    """A code, a number, an id: left to right whatever stands around it (a bare 2026-11-24 turns around in Persian text)."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(escape(str(value)))


def until(due: datetime, now: datetime, language: str) -> str:
    """How far away a deadline is, in calendar days in Tehran: `۳ روز مانده`, `امروز`, `۲ روز گذشته`."""
    days = (_local(due) - _local(now)) // timedelta(days=1)
    if language == FA:
        if days == 0:
            return "امروز"
        return digits(f"{abs(days)} روز {'مانده' if days > 0 else 'گذشته'}", FA)
    if days == 0:
        return "today"
    count = f"{abs(days)} day{'s' if abs(days) != 1 else ''}"
    return f"{count} left" if days > 0 else f"{count} overdue"

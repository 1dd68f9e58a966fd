"""Numbers as a reader of each language writes them."""

from __future__ import annotations

import pytest

from chassis.web.formats import percent, size, time_of_day, weekday


@pytest.mark.parametrize(("share", "fa", "en"), [(1.0, "۱۰۰٫۰٪", "100.0%"), (0.995, "۹۹٫۵٪", "99.5%"), (0.0, "۰٫۰٪", "0.0%")])
def test_a_share_has_the_digits_the_point_and_the_sign_of_the_language(share: float, fa: str, en: str) -> None:
    assert (percent(share, "fa"), percent(share, "en")) == (fa, en)


@pytest.mark.parametrize(
    ("octets", "fa", "en"),
    [
        (500, "۰٫۵ کیلوبایت", "0.5 kB"),
        (999_949, "۹۹۹٫۹ کیلوبایت", "999.9 kB"),
        (999_950, "۱٫۰ مگابایت", "1.0 MB"),
        (26_214_400, "۲۶٫۲ مگابایت", "26.2 MB"),
    ],
)
def test_a_size_has_the_digits_and_the_unit_of_the_language(octets: int, fa: str, en: str) -> None:
    assert size(octets, "fa") == f"<bdi>{fa}</bdi>"
    assert size(octets, "en") == f"<bdi>{en}</bdi>"


@pytest.mark.parametrize(
    ("number", "fa", "en"), [(0, "شنبه", "Saturday"), (1, "یکشنبه", "Sunday"), (2, "دوشنبه", "Monday"), (6, "جمعه", "Friday")]
)
def test_the_week_begins_with_saturday(number: int, fa: str, en: str) -> None:
    assert (weekday(number, "fa"), weekday(number, "en")) == (fa, en)


@pytest.mark.parametrize(("minutes", "fa", "en"), [(0, "۰۰:۰۰", "00:00"), (485, "۰۸:۰۵", "08:05"), (1440, "۲۴:۰۰", "24:00")])
def test_a_time_of_day_has_the_digits_of_the_language(minutes: int, fa: str, en: str) -> None:
    assert (time_of_day(minutes, "fa"), time_of_day(minutes, "en")) == (fa, en)

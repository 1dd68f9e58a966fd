"""Numbers as a reader of each language writes them."""

from __future__ import annotations

import pytest

from chassis.web.persian import percent, size


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

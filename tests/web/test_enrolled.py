"""What is enrolled, read from a terminal, and the registration of an office that is changed there; real database."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import pytest

from chassis.accounts.cli_input import RegistrationRefused
from schemas.envelope.fact import StreamKind
from schemas.facts import decode
from schemas.facts.intake import OfficeChanged, OfficeHours, OfficeRegistered
from services.intake.app import SERVICE as INTAKE
from services.intake.registration import change
from tests.web.city import PASSWORD, City

REGISTER: Final = "office register {} --fa آفتاب --en Aftab --district 1"


async def registrations(city: City, name: str) -> list[object]:
    async with INTAKE.open_container(city.settings_of("intake")) as container:
        return [decode(each.type, each.type_version, each.body) for each in await container.log.stream(f"office:{name}")]


async def line(city: City, name: str) -> str:
    code, said = await city.type("intake", "office list")
    assert code == 0
    (found,) = [each for each in said.splitlines() if each.startswith(f"{name} ")]
    return found


async def test_an_offices_registration_is_listed_and_changed_and_what_is_not_given_stays(city: City) -> None:
    assert (await city.type("intake", REGISTER.format("sun")))[0] == 0
    assert re.fullmatch(r"sun +district 1  آفتاب / Aftab  no hours", await line(city, "sun"))
    assert await city.type("intake", "office change sun --district ۳") == (0, "sun was changed\n")
    assert await city.type("intake", "office change sun --fa مهتاب --en Mahtab") == (0, "sun was changed\n")
    assert re.fullmatch(r"sun +district 3  مهتاب / Mahtab  no hours", await line(city, "sun"))
    # The same again changes nothing; and what is registered now is what a repeated registration is compared with.
    assert await city.type("intake", "office change sun --en Mahtab") == (
        0,
        "Nothing was changed: sun already has these details.\n",
    )
    assert await city.type("intake", "office change sun") == (0, "Nothing was changed: sun already has these details.\n")
    code, said = await city.type("intake", REGISTER.format("sun"))
    assert (code, "`office change`" in said) == (1, True)
    again = "office register sun --fa مهتاب --en Mahtab --district 3"
    assert await city.type("intake", again) == (0, "Nothing was changed: sun is already registered with these details.\n")
    # Back to what it was: a change like any other, though its words are those of an earlier one.
    assert (await city.type("intake", "office change sun --fa آفتاب --en Aftab"))[0] == 0
    assert (await city.type("intake", "office change sun --fa مهتاب --en Mahtab"))[0] == 0
    assert await registrations(city, "sun") == [
        OfficeRegistered(name_fa="آفتاب", name_en="Aftab", district=1),
        OfficeChanged(name_fa="آفتاب", name_en="Aftab", district=3),
        OfficeChanged(name_fa="مهتاب", name_en="Mahtab", district=3),
        OfficeChanged(name_fa="آفتاب", name_en="Aftab", district=3),
        OfficeChanged(name_fa="مهتاب", name_en="Mahtab", district=3),
    ]


async def test_opening_hours_are_registered_changed_and_listed_as_they_are_typed(city: City) -> None:
    typed = "sat-mon=08:00-13:00 sat-mon=16:00-20:00 tue=08:00-13:00 thu-fri=00:00-24:00"
    register = f"{REGISTER.format('hours')} --hours {typed}"
    week = tuple(
        OfficeHours(weekday=day, opens=opens * 60, closes=closes * 60)
        for day, opens, closes in (
            (0, 8, 13), (0, 16, 20), (1, 8, 13), (1, 16, 20), (2, 8, 13), (2, 16, 20), (3, 8, 13), (5, 0, 24), (6, 0, 24),
        )
    )  # fmt: skip
    assert await city.type("intake", register) == (0, "hours is registered\n")
    assert (await line(city, "hours")).endswith(f"Aftab  {typed}")
    # Said in another way, they are the same hours: in Persian figures, day by day, in another order, as an option again.
    same = "tue=۸:۰۰-۱۳:۰۰ sat=8:00-13:00 Sun-Mon=8:00-13:00 --hours fri=0:00-24:00 thu=0:00-24:00 sat-mon=16:00-20:00"
    again = f"{REGISTER.format('hours')} --hours {same}"
    assert await city.type("intake", again) == (0, "Nothing was changed: hours is already registered with these details.\n")
    assert await city.type("intake", f"office change hours --hours {same}") == (
        0,
        "Nothing was changed: hours already has these details.\n",
    )
    code, said = await city.type("intake", REGISTER.format("hours"))
    assert (code, "`office change`" in said) == (1, True)
    assert (await city.type("intake", "office change hours --district 2"))[0] == 0
    assert (await line(city, "hours")).endswith(f"district 2  آفتاب / Aftab  {typed}"), "hours that are not given stay"
    assert (await city.type("intake", "office change hours --hours thu=08:30-12:00"))[0] == 0
    assert (await line(city, "hours")).endswith("district 2  آفتاب / Aftab  thu=08:30-12:00"), "a week is given whole"
    assert (await city.type("intake", "office change hours --hours none"))[0] == 0
    assert (await line(city, "hours")).endswith("district 2  آفتاب / Aftab  no hours")
    assert await registrations(city, "hours") == [
        OfficeRegistered(name_fa="آفتاب", name_en="Aftab", district=1, hours=week),
        OfficeChanged(name_fa="آفتاب", name_en="Aftab", district=2, hours=week),
        OfficeChanged(
            name_fa="آفتاب", name_en="Aftab", district=2, hours=(OfficeHours(weekday=5, opens=8 * 60 + 30, closes=12 * 60),)
        ),
        OfficeChanged(name_fa="آفتاب", name_en="Aftab", district=2),
    ]


async def test_of_two_who_change_an_office_at_once_none_takes_back_what_the_other_changed(city: City) -> None:
    assert (await city.type("intake", REGISTER.format("both")))[0] == 0
    async with INTAKE.open_container(city.settings_of("intake")) as container:
        one, other = change(container, "both", fa="مهتاب"), change(container, "both", hours=["thu=08:00-12:00"])
        ended = await asyncio.gather(one, other, return_exceptions=True)
    assert all(isinstance(each, str | RegistrationRefused) for each in ended), ended
    last = (await registrations(city, "both"))[-1]
    assert isinstance(last, OfficeChanged)
    assert [last.name_fa == "مهتاب", last.hours != ()] == [isinstance(each, str) for each in ended]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere", "--en", "X"], 1, "intake OFFICE: there is no such office"),
        (["../x", "--en", "X"], 1, "intake OFFICE: is 1 to 60 small Latin letters"),
        (["moon", "--fa", ""], 1, "intake --fa: is a name of 1 to 120"),
        (["moon", "--en", "   "], 1, "intake --en: is a name of 1 to 120"),
        (["moon", "--district", "6"], 1, "intake district: The city has districts 1 to 5."),
        (["moon", "--district", "one"], 1, "intake --district: is a whole number"),
        (["moon", "--district", ""], 1, "intake --district: is a whole number"),
        (["moon", "--hours", "always"], 1, "intake --hours: is days and a time, as sat-wed=08:00-14:00"),
        (["moon", "--hours", ""], 1, "intake --hours: is days and a time"),
        (["moon", "--hours", "sat-wed=08:00-14:00,thu=08:00-12:00"], 1, "intake --hours: is days and a time"),
        (["moon", "--hours", "sat-day=08:00-14:00"], 1, "intake --hours: is days and a time"),
        (["moon", "--hours", "sat=08:60-14:00"], 1, "intake --hours: is days and a time"),
        (["moon", "--hours", "sat=8-14"], 1, "intake --hours: is days and a time"),
        (["moon", "--hours", "none", "sat=08:00-14:00"], 1, "intake --hours: is days and a time"),
        (["moon", "--hours", "thu-sat=08:00-14:00"], 1, "intake --hours: has its days in the order of the week"),
        (["moon", "--hours", "sat=14:00-08:00"], 1, "intake --hours: closes on the same day, after it opens"),
        (["moon", "--hours", "sat=08:00-08:00"], 1, "intake --hours: closes on the same day, after it opens"),
        (["moon", "--hours", "sat=20:00-24:01"], 1, "intake --hours: closes on the same day, after it opens"),
        (["moon", "--hours", "sat-wed=08:00-14:00", "mon=13:00-20:00"], 1, "intake --hours: says times of mon that meet"),
        (["moon", "--hours", "mon=08:00-14:00", "mon=14:00-20:00"], 1, "intake --hours: says times of mon that meet"),
        (["moon", "--hours"], 2, "python -m services.intake office change: --hours needs a value"),
        (["moon", "--name", "X"], 2, "python -m services.intake office change: there is no option --name"),
        ([], 2, "python -m services.intake office change: OFFICE is missing"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_in_one_sentence_and_changes_nothing(
    city: City, arguments: list[str], code: int, says: str
) -> None:
    assert (await city.type("intake", REGISTER.format("moon")))[0] == 0
    found, said = await city.type("intake", "office change", words=arguments)
    assert (found, said.startswith(says), said.count("\n")) == (code, True, 1), said
    assert await registrations(city, "moon") == [OfficeRegistered(name_fa="آفتاب", name_en="Aftab", district=1)]


async def test_every_desk_lists_what_is_enrolled_there_and_no_secret(city: City) -> None:
    assert await city.type("review", "reviewer list") == (0, "nobody has ever been enrolled\n")
    for subject, role in (("rev-b", "reviewer"), ("rev-a", "reviewer"), ("boss", "supervisor"), ("rev-c", "reviewer")):
        made = f"account add {subject} --username u-{subject} --role {role} --name N"
        assert (await city.type("review", made, PASSWORD))[0] == 0
    assert (await city.type("review", "account close rev-c"))[0] == 0
    code, said = await city.type("review", "account list")
    assert (code, [each.split()[0] for each in said.splitlines()]) == (0, ["rev-a", "rev-b", "rev-c", "boss"]), "by role"
    assert re.search(r"^rev-c .* closed", said, re.M)
    assert "argon2" not in said
    assert PASSWORD not in said

    assert (await city.type("review", "reviewer enrol rev-a --district 1 --district 2"))[0] == 0
    assert (await city.type("review", "reviewer enrol rev-b --district 5 --weight 2"))[0] == 0
    assert (await city.type("review", "reviewer retire rev-a --reason left"))[0] == 0
    code, said = await city.type("review", "reviewer list")  # at once: nobody has to serve meanwhile
    first, second = said.splitlines()
    assert (code, bool(re.match(r"rev-a +retired +districts 1,2 ", first))) == (0, True), first
    assert re.match(r"rev-b +can be drawn +districts 5 +weight 2 ", second), second

    assert (await city.type("inquiry", "agency register heritage"))[0] == 0
    code, said = await city.type("inquiry", "agency list")
    assert code == 0
    assert re.search(r"^heritage +registered +میراث فرهنگی / Cultural heritage$", said, re.M)
    assert re.search(r"^utilities +not registered ", said, re.M)


async def test_the_streams_of_a_kind_are_each_named_once_and_those_of_no_other_kind(city: City) -> None:
    for name in ("list-b", "list-a"):
        assert (await city.type("intake", REGISTER.format(name)))[0] == 0
    assert (await city.type("intake", "office change list-a --district 2"))[0] == 0
    assert (await city.type("inquiry", "agency register fire"))[0] == 0
    async with INTAKE.open_container(city.settings_of("intake")) as container:
        offices = await container.log.streams(StreamKind.OFFICE)
        assert offices == sorted(set(offices))
        assert {"office:list-a", "office:list-b"} <= set(offices)
        assert all(each.startswith("office:") for each in offices)
        assert "agency:fire" in await container.log.streams(StreamKind.AGENCY)
        assert await container.log.streams(StreamKind.CALENDAR) == []

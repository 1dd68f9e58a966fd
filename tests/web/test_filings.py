"""The own filings of an office and of a citizen: all of them, a page at a time; real database, real door."""

from __future__ import annotations

import re
from typing import Final

from chassis.principal import Principal
from services.intake.read import PAGE
from tests.eventing.harness import eventually
from tests.web.city import City
from tests.web.test_office_named import CITIZEN, OPERATOR, at_the_door, filed, page, registered

OFFICE: Final = Principal(OPERATOR, "op", office="long")
NOTHING_OLDER: Final = {"fa": "پیش از این درخواستی ثبت نشده است.", "en": "There are no older requests."}


def cases(shown: str) -> list[str]:
    return re.findall(r'href="/cases/(many\d+)"', shown)


def link(shown: str, words: str) -> str:
    """Where the link with these words leads, or nothing."""
    found = re.search(rf'href="([^"]+)#filings">{words}</a>', shown)
    return found[1] if found else ""


async def test_who_filed_much_turns_through_all_of_it_and_comes_back(city: City) -> None:
    await registered(city, "long")
    for number in range(PAGE + 3):
        await filed(city, f"many{number:02}", "long")
    async with at_the_door(city, OFFICE) as office, at_the_door(city, CITIZEN) as citizen:

        async def all_there() -> bool:
            owner = await city.databases.connect("intake", "owner")
            try:
                # The sealed papers of these facts open nowhere: whose they are is said by hand.
                done = await owner.execute("UPDATE cases SET subject = $1 WHERE office = 'long'", CITIZEN.subject)
                return bool(done == f"UPDATE {PAGE + 3}")
            finally:
                await owner.close()

        await eventually(all_there)
        for client, door in ((office, "/office"), (citizen, "/")):
            first = await page(client, door, "en")
            assert len(cases(first)) == PAGE
            assert not link(first, "Newest entries")
            second = await page(client, link(first, "Older entries"), "en")
            assert len({*cases(first), *cases(second)}) == PAGE + 3
            assert not link(second, "Older entries")
            assert link(second, "Newest entries") == door
            assert link(await page(client, f"{door}?before={cases(first)[-1]}", "fa"), "تازه‌ترین‌ها") == door
            for language, words in NOTHING_OLDER.items():
                lost = await page(client, f"{door}?before=nowhere", language)
                assert words in lost
                assert not cases(lost)


async def test_who_never_filed_reads_so_in_place_of_an_empty_list(city: City) -> None:
    await registered(city, "idle")
    async with at_the_door(city, Principal(OPERATOR, "op", office="idle")) as office:
        assert "This office has not filed a request yet." in await page(office, "/office", "en")
    async with at_the_door(city, Principal("citizen", "nobody-yet")) as citizen:
        assert "You have not filed a request yet." in await page(citizen, "/", "en")

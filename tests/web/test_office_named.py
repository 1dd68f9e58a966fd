"""A counter office by its name: on its own desk, and for the citizen whose request it filed; real database, real door."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import pytest

from caselog.outcomes import Appended, AppendRequest, NewFact
from chassis.principal import Principal
from chassis.web.csrf import session_cookie
from schemas.facts.intake import CaseSubmitted, OfficeHours
from services.intake.app import SERVICE as INTAKE
from services.intake.read import Opening, openings
from tests.faults.test_reread import sample
from tests.web.city import City, opened

OPERATOR: Final = "office_operator"
CITIZEN: Final = Principal("citizen", "a-citizen")
REGISTER: Final = ("register", "--fa", "دفتر آفتاب", "--en", "Aftab office", "--district", "1")
HOURS: Final = ("--hours", "sat-wed=08:00-13:00", "sat-wed=16:00-20:00", "thu=08:00-12:00")
LABEL: Final = {"fa": "دفتر پیشخوانی که برای شما ثبت کرد", "en": "The counter office that filed for you"}
OPEN: Final = {
    "fa": ["شنبه تا چهارشنبه: ۰۸:۰۰ تا ۱۳:۰۰ و ۱۶:۰۰ تا ۲۰:۰۰", "پنجشنبه: ۰۸:۰۰ تا ۱۲:۰۰"],
    "en": ["Saturday to Wednesday: 08:00 to 13:00 and 16:00 to 20:00", "Thursday: 08:00 to 12:00"],
}


async def registered(city: City, office: str, *more: str) -> None:
    (word, *rest) = REGISTER
    assert (await city.type("intake", f"office {word} {office}", words=[*rest, *more]))[0] == 0


async def changed(city: City, office: str, *words: str) -> None:
    assert (await city.type("intake", f"office change {office}", words=words))[0] == 0


async def filed(city: City, case: str, office: str | None) -> None:
    """A request of the citizen, filed by an office or, with none, in the portal."""
    stream = f"case:{case}"
    body = json.loads(sample(CaseSubmitted).body)
    async with INTAKE.open_container(city.settings_of("intake")) as container:
        body["applicant"] = container.vault.alias(CITIZEN.subject, stream)
    body |= {"office": office} if office else {"office": None, "channel": "portal", "consent": None}
    fact = NewFact(CaseSubmitted.TYPE, CaseSubmitted.VERSION, json.dumps(body).encode())
    command = hashlib.sha256(stream.encode()).digest()
    async with city.databases.appender("intake") as appender:
        outcome = await appender.append(AppendRequest(stream, None, command, bytes(32), "x:y", None, b"{}", [fact]))
    assert isinstance(outcome, Appended)


@asynccontextmanager
async def at_the_door(city: City, who: Principal) -> AsyncIterator[httpx2.AsyncClient]:
    app = INTAKE.create_app(city.settings_of("intake"))
    async with opened(app, "intake") as client:
        client.cookies.set(session_cookie("intake"), await app.state.sessions.begin(who))
        yield client


async def page(client: httpx2.AsyncClient, path: str, language: str) -> str:
    answer = await client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def read(client: httpx2.AsyncClient, path: str, language: str) -> str:
    """A page as a person reads it."""
    without_marks = re.sub(r"</?bdi>", "", await page(client, path, language))
    return " ".join(re.sub(r"<[^>]+>", " ", without_marks).split())


@pytest.mark.parametrize(
    ("language", "first", "last"), [("fa", "دفتر آفتاب", "دفتر مهتاب"), ("en", "Aftab office", "Mahtab office")]
)
async def test_an_office_and_the_citizen_it_filed_for_read_its_name_as_it_stands_now(
    city: City, language: str, first: str, last: str
) -> None:
    office = f"named-{language}"
    await registered(city, office)
    await filed(city, f"by{language}", office)
    async with at_the_door(city, Principal(OPERATOR, "op", office=office)) as desk, at_the_door(city, CITIZEN) as citizen:
        assert first in await read(desk, "/office", language)
        case = await read(citizen, f"/cases/by{language}", language)
        assert f"{LABEL[language]} {first}" in case
        assert not any(each in case for each in OPEN[language])
        await changed(city, office, "--fa", "دفتر مهتاب", "--en", "Mahtab office", "--district", "4", *HOURS)
        db, case = await read(desk, "/office", language), await read(citizen, f"/cases/by{language}", language)
    assert f"{last} {'منطقه ۴' if language == 'fa' else 'District 4'} {' '.join(OPEN[language])}" in db
    assert f"{LABEL[language]} {last} {' '.join(OPEN[language])}" in case
    assert first not in db + case


@pytest.mark.parametrize("language", ["fa", "en"])
async def test_an_office_that_was_never_registered_and_a_filing_of_ones_own_name_none(city: City, language: str) -> None:
    await filed(city, f"older{language}", "nowhere")
    await filed(city, f"own{language}", None)
    async with at_the_door(city, Principal(OPERATOR, "op", office="nowhere")) as desk, at_the_door(city, CITIZEN) as citizen:
        for case in ("older", "own"):
            shown = await page(citizen, f"/cases/{case}{language}", language)
            assert f"<dt>{LABEL[language]}</dt>" not in shown
            assert "nowhere" not in shown
            assert "None" not in shown
        assert "None" not in await page(desk, "/office", language)


def test_days_that_follow_each_other_and_are_alike_are_said_together() -> None:
    def hours(*days: tuple[int, int, int]) -> list[OfficeHours]:
        return [OfficeHours(weekday=day, opens=opens, closes=closes) for day, opens, closes in days]

    assert openings([]) == []
    assert openings(hours((4, 960, 1200), (0, 480, 840), (1, 480, 840), (3, 480, 840), (4, 480, 840), (5, 480, 720))) == [
        Opening(0, 1, ((480, 840),)),
        Opening(3, 3, ((480, 840),)),  # what is closed on Monday is not said to be open from Saturday to Tuesday
        Opening(4, 4, ((480, 840), (960, 1200))),
        Opening(5, 5, ((480, 720),)),
    ]

"""The web chassis: sessions, forms, limits, problems, languages; over the real database."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest

from chassis.accounts.accounts import refuse_demonstration_accounts
from chassis.accounts.sessions import Sessions
from chassis.principal import Principal
from chassis.settings import DemonstrationRefused, Environment, Settings
from deploy.demo.person import forms
from deploy.demo.week import national_code
from tests.databases import Databases
from tests.web.demo import SECRET, browser, running

CODE = national_code(123_123_123)


async def fill(client: httpx2.AsyncClient, path: str, values: dict[str, str]) -> httpx2.Response:
    page = await client.get(path, headers={"Accept": "text/html"})
    form = next(each for each in forms(page.text) if each.action == path)
    return await client.post(path, data={**form.hidden, **values}, headers={"Accept": "text/html"})


async def sign_in(client: httpx2.AsyncClient) -> httpx2.Response:
    return await fill(client, "/sign-in", {"username": "ann", "password": "right"})


async def csrf(client: httpx2.AsyncClient) -> str:
    page = await client.get("/", headers={"Accept": "text/html"})
    return forms(page.text)[0].hidden["_csrf"]


async def test_a_session_begins_at_sign_in_rotates_ends_and_can_be_revoked(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        assert (await client.get("/staff")).status_code == 401
        await sign_in(client)
        first = client.cookies["parvandeh_demo"]
        assert (await client.get("/staff")).json() == {"subject": "a1"}
        client.cookies.clear()
        client.cookies.set("parvandeh_demo", first)
        token = await csrf(client)
        client.cookies.set("parvandeh_demo", first)
        again = await client.post("/sign-in", data={"username": "ann", "password": "right", "_csrf": token})
        second = again.cookies["parvandeh_demo"]
        assert second != first
        assert "httponly" in again.headers["set-cookie"].lower()
        client.cookies.clear()
        assert (await client.get("/staff", headers={"Cookie": f"parvandeh_demo={first}"})).status_code == 401
        assert (await client.get("/staff", headers={"Cookie": f"parvandeh_demo={second}"})).status_code == 200
        await app.state.accounts.close("a1")
        assert (await client.get("/staff", headers={"Cookie": f"parvandeh_demo={second}"})).status_code == 401


async def test_a_session_ends_by_rest_and_by_age(databases: Databases) -> None:
    async with running(databases) as (app, _):
        db = app.state.sessions._db
        rested = Sessions(db, idle=timedelta(seconds=-1))
        aged = Sessions(db, absolute=timedelta(seconds=-1))
        for sessions in (rested, aged):
            token = await sessions.begin(Principal("reviewer", "a1"))
            assert await Sessions(db).principal(token) is None
        assert await db.fetchval("SELECT count(*) FROM web_sessions WHERE token = $1", token.encode()) == 0


async def test_a_session_that_is_used_goes_on_and_its_row_moves_once_a_minute(databases: Databases) -> None:
    async with running(databases) as (app, _):
        db = app.state.sessions._db
        token = await app.state.sessions.begin(Principal("reviewer", "a1"))
        left = "SELECT extract(epoch FROM idle_until - now())::float FROM web_sessions"
        for rested, after in ((10, (1780, 1791)), (90, (1795, 1801)), (1700, (1795, 1801))):
            await db.execute("UPDATE web_sessions SET idle_until = now() + make_interval(secs => $1)", 1800.0 - rested)
            assert await app.state.sessions.principal(token) is not None
            assert after[0] < await db.fetchval(left) < after[1], rested


async def test_a_role_opens_its_rooms_only(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        await sign_in(client)
        answer = await client.get("/boss")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:parvandeh:problem:not_for_you")


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "evil", "/ok\\x"])
async def test_sign_in_never_leads_to_another_site(databases: Databases, to: str) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        answer = await fill(client, "/sign-in", {"username": "ann", "password": "right", "next": to})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_an_unknown_name_and_a_wrong_password_get_the_same_page(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        wrong = await fill(client, "/sign-in", {"username": "ann", "password": "x"})
        unknown = await fill(client, "/sign-in", {"username": "bob", "password": "x"})
        assert wrong.status_code == unknown.status_code == 422
        assert re.sub(r"\bann\b", "bob", wrong.text) == unknown.text


async def challenge(client: httpx2.AsyncClient, mobile: str = "09131112233") -> httpx2.Response:
    return await fill(client, "/citizen/sign-in", {"national_code": CODE, "mobile": mobile})


async def answer_with(client: httpx2.AsyncClient, page: httpx2.Response, code: str) -> int:
    form = next(each for each in forms(page.text) if each.action == "/citizen/code")
    return (await client.post("/citizen/code", data={**form.hidden, "code": code})).status_code


async def test_a_one_time_code_opens_once_and_not_after_too_many_or_too_late(databases: Databases) -> None:
    async with running(databases) as (app, sent), browser(app) as client:
        page = await challenge(client)
        assert len(sent) == 1
        wrong = "000000" if sent[0][1] != "000000" else "111111"
        assert await answer_with(client, page, wrong) == 422
        assert await answer_with(client, page, sent[0][1]) == 303
        client.cookies.delete("parvandeh_demo")
        again = await challenge(client)
        assert await answer_with(client, page, sent[0][1]) in (403, 422)
        for _ in range(5):
            assert await answer_with(client, again, wrong) == 422
        assert await answer_with(client, again, sent[1][1]) == 422
        late = await challenge(client)
        await app.state.sessions._db.execute("UPDATE web_codes SET expires_at = now() - interval '1 second'")
        assert await answer_with(client, late, sent[2][1]) == 422


async def test_who_asks_with_anothers_national_code_gets_the_same_page_and_no_code(databases: Databases) -> None:
    async with running(databases) as (app, sent), browser(app) as client:
        assert await answer_with(client, await challenge(client), sent[0][1]) == 303
        client.cookies.clear()
        page = await challenge(client, "09139999999")
        assert page.status_code == 200
        assert "six-digit code" in page.text
        assert len(sent) == 1


async def test_neither_code_nor_mobile_nor_token_stands_in_the_database(databases: Databases) -> None:
    async with running(databases) as (app, sent), browser(app) as client:
        page = await challenge(client)
        await answer_with(client, page, sent[0][1])
        rows = [
            str(tuple(row))
            for table in ("web_codes", "web_citizens", "web_sessions")
            for row in await app.state.sessions._db.fetch(f"SELECT * FROM {table}")
        ]
        assert rows
        assert not any(client.cookies["parvandeh_demo"] in row for row in rows)
        assert not any(sent[0][1].encode().hex() in row for row in rows)


async def test_a_write_without_a_key_or_with_a_foreign_token_is_refused(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        await sign_in(client)
        token = await csrf(client)
        good = {"X-CSRF-Token": token, "Idempotency-Key": "k" * 12}
        assert (await client.post("/api/number", json={"number": 1}, headers=good)).json() == {"number": 1, "key": "k" * 12}
        no_key = await client.post("/api/number", json={"number": 1}, headers={"X-CSRF-Token": token})
        assert (no_key.status_code, no_key.json()["field"]) == (400, "Idempotency-Key")
        for headers in ({}, {**good, "X-CSRF-Token": "0" * 64}, {**good, "Origin": "http://evil.example"}):
            assert (await client.post("/api/number", json={"number": 1}, headers=headers)).status_code == 403


async def test_a_body_beyond_the_limit_is_refused_also_when_it_does_not_say_so(databases: Databases) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 50_000

    async with running(databases) as (app, _), browser(app) as client:
        await sign_in(client)
        headers = {"X-CSRF-Token": await csrf(client), "Idempotency-Key": "k" * 12, "Content-Type": "application/json"}
        declared = await client.post("/api/number", content=b"x" * 2_000_000, headers=headers)
        chunked = await client.post("/api/number", content=endless(), headers=headers)
        assert declared.status_code == chunked.status_code == 413
        assert chunked.json()["type"] == "urn:parvandeh:problem:body_too_large"


async def test_too_many_sign_ins_from_one_address_are_slowed_down(databases: Databases) -> None:
    async with running(databases, sign_ins_a_minute=1) as (app, _), browser(app) as client:
        # Without the form's token: a hundred passwords to verify may take more than the minute that is counted.
        answers = [await client.post("/sign-in", data={"username": "ann", "password": "x"}) for _ in range(101)]
        assert [each.status_code for each in answers].count(429) == 1
        assert answers[-1].headers["retry-after"]


async def test_problems_are_in_the_readers_language_and_never_repeat_what_was_entered(databases: Databases) -> None:
    async with running(databases) as (app, _):
        for language, words, reason in (
            ("fa", "بخشی از درخواست", "اینجا عدد درست می‌باید."),
            ("en", "Something in the request", "This must be a whole number."),
        ):
            async with browser(app, language) as client:
                await sign_in(client)
                headers = {"X-CSRF-Token": await csrf(client), "Idempotency-Key": "k" * 12}
                answer = await client.post("/api/number", json={"number": SECRET, SECRET: 1}, headers=headers)
                problem = answer.json()
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["content-language"] == language
                assert problem["detail"].startswith(words)
                assert {"field": "body.number", "reason": "int_parsing", "detail": reason} in problem["errors"]
                assert SECRET not in json.dumps(problem, ensure_ascii=False)
                refused = (await client.get("/api/refused")).json()
                assert (refused["status"], refused["field"]) == (418, "number")


async def test_a_fault_of_ours_tells_nothing_and_a_log_that_is_away_says_what_is_safe(
    databases: Databases, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        broken, away = await client.get("/api/broken"), await client.get("/api/away")
        assert (broken.status_code, away.status_code) == (500, 503)
        assert away.headers["retry-after"]
        assert "again is safe" in away.json()["detail"]
        assert SECRET not in broken.text + away.text
        out = capfd.readouterr()
        assert SECRET not in out.out + out.err
        assert "RuntimeError" in out.out + out.err


async def test_a_text_that_no_database_keeps_is_refused_by_name_before_any_query(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        page = await client.get("/sign-in", headers={"Accept": "text/html"})
        hidden = next(each for each in forms(page.text) if each.action == "/sign-in").hidden
        posted = await client.post("/sign-in", data={**hidden, "username": "a\0b", "password": "x"})
        asked = await client.get("/sign-in", params={"next": "/\0"})
        for answer, field in ((posted, "username"), (asked, "next")):
            assert (answer.status_code, answer.json()["type"]) == (422, "urn:parvandeh:problem:unstorable")
            assert answer.json()["field"] == field
        assert (await client.get("/static/x/%00")).status_code == 404
        assert await app.state.accounts.check("a\0b", "x") is None


async def test_a_program_gets_a_problem_document_where_a_person_gets_the_form_again(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        page = await client.get("/sign-in", headers={"Accept": "text/html"})
        hidden = next(each for each in forms(page.text) if each.action == "/sign-in").hidden
        for path, values, code, field in (
            ("/sign-in", {"username": "ann", "password": "x"}, "wrong_sign_in", None),
            ("/citizen/sign-in", {"national_code": "1", "mobile": "09131112233"}, "wrong_national_code", "national_code"),
            ("/citizen/sign-in", {"national_code": CODE, "mobile": "1"}, "wrong_mobile", "mobile"),
            ("/citizen/code", {"challenge": "x", "code": "1"}, "wrong_code", None),
        ):
            answer = await client.post(path, data={**hidden, **values})
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
            assert (answer.json()["type"], answer.json().get("field")) == (f"urn:parvandeh:problem:{code}", field)
            person = await client.post(path, data={**hidden, **values}, headers={"Accept": "text/html"})
            assert (person.status_code, person.headers["content-type"]) == (422, "text/html; charset=utf-8")


async def test_a_wrong_method_names_the_right_one_and_an_address_has_no_second_form(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        wrong = await client.delete("/staff")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
        assert wrong.json()["type"] == "urn:parvandeh:problem:method_not_allowed"
        assert (await client.get("/staff/")).status_code == 404
        assert (await client.post("/sign-in", content=b"x", headers={"Content-Type": "multipart/form-data"})).status_code == 400


async def test_readiness_names_what_is_missing(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"database": True, "bus": False})
        assert (await client.get("/health")).status_code == 200


async def test_static_files_are_kept_for_long_and_only_known_names_are_served(databases: Databases) -> None:
    async with running(databases) as (app, _), browser(app) as client:
        page = await client.get("/sign-in", headers={"Accept": "text/html"})
        for name in ("parvandeh.css", "bootstrap.css"):
            path = next(part for part in page.text.split('"') if part.endswith(name))
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        for path in ("/static/x/../../pyproject.toml", "/static/x/sessions.py", "/static/x/%2e%2e%2fpages.py"):
            assert (await client.get(path)).status_code == 404


async def test_production_refuses_to_start_with_demonstration_accounts(databases: Databases) -> None:
    async with running(databases) as (app, _):
        production = Settings(environment=Environment.PRODUCTION)
        with pytest.raises(DemonstrationRefused):
            await refuse_demonstration_accounts(production, app.state.accounts)
        await app.state.accounts.close("a1")
        await refuse_demonstration_accounts(production, app.state.accounts)


async def test_two_first_sign_ins_at_once_bind_one_mobile(databases: Databases) -> None:
    async with running(databases) as (app, sent), browser(app) as one, browser(app) as two:
        first, second = await challenge(one, "09130000001"), await challenge(two, "09130000002")
        codes = dict(sent)
        answers = await asyncio.gather(
            answer_with(one, first, codes["09130000001"]), answer_with(two, second, codes["09130000002"])
        )
        assert sorted(answers) == [303, 422]

"""Sign-in by OpenID Connect at the demo door, with a real issuer on a port of its own: who comes in, as whom, and until when."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr, ValidationError
from starlette.responses import PlainTextResponse

from chassis.accounts.oidc.issuer import KEYS_SECONDS, REFETCH_SECONDS
from chassis.accounts.oidc.relying_party import RETURN, check
from chassis.accounts.oidc.transactions import Transactions
from chassis.oidc_settings import Oidc, Seat
from chassis.principal import Principal
from chassis.privacy.key_files import KeyFileMissing
from chassis.runtime.cli import print_subject, revoke
from chassis.settings import Environment, Settings, Unset
from deploy.demo.person import forms
from deploy.demo.week import national_code
from tests.web.demo import browser, running
from tests.web.issuer import SECRET, Lies
from tests.web.oidc_harness import (
    CITIZEN,
    CODE,
    DOOR,
    PERSON,
    ROLES,
    House,
    at_issuer,
    problem,
    signed_in,
    started,
)
from tests.web.test_web import csrf, fill, sign_in

SESSION = "parvandeh_demo"
ANN = """UPDATE web_accounts SET role = 'reviewer', office = NULL, agency = NULL, districts = '{}', active = true
WHERE account_id = 'a1'"""


async def test_staff_sign_in_with_the_code_flow_and_pkce_and_go_on_where_they_wanted(house: House) -> None:
    async with house.browser() as client:
        begun = await started(client)
        asked = {name: value[0] for name, value in parse_qs(urlsplit(begun.headers["location"]).query).items()}
        assert asked["redirect_uri"] == DOOR + RETURN
        assert (asked["response_type"], asked["code_challenge_method"], asked["ui_locales"]) == ("code", "S256", "en")
        assert SECRET not in begun.headers["location"]
        back = await client.get(await at_issuer(begun.headers["location"]))
        assert (back.status_code, back.headers["location"]) == (303, "/staff")
        assert "httponly" in back.headers["set-cookie"].lower()
        assert "samesite=lax" in back.headers["set-cookie"].lower()
        mine = (await client.get("/staff")).json()["subject"]
        assert mine.startswith("oidc-")
        assert await house.rows("web_oidc_transactions") == 0
        assert (await client.get("/boss")).status_code == 403


async def test_an_issuer_with_rsa_keys_and_the_secret_in_the_form_is_understood_too(house: House) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
    house.issuer.published.append(rsa)
    house.issuer.lies, house.issuer.posted = Lies(sign=lambda claims: house.issuer.signed(claims, rsa, alg="RS256")), True
    async with house.browser() as client:
        assert (await signed_in(client)).status_code == 303
    house.issuer.published.remove(rsa)


async def test_a_cookie_of_a_door_behind_tls_never_goes_without_it(house: House) -> None:
    settings = house.settings.model_copy(update={"doors": {"demo": "https://demo"}})
    async with running(house.databases, settings) as (app, _), browser(app) as client:
        for path in ("/sign-in", "/sign-in/oidc"):
            assert "secure" in (await client.get(path)).headers["set-cookie"].lower()


async def test_the_local_subject_is_of_issuer_and_sub_and_tells_neither(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    subjects = []
    for person in (PERSON, {**PERSON, "name": "نام دیگر", "roles": ["heads"]}, {**PERSON, "sub": "person-8"}):
        house.issuer.person = dict(person)
        async with house.browser() as client:
            await signed_in(client)
        subjects.append(await house.db.fetchval("DELETE FROM web_sessions RETURNING subject"))
    assert subjects[0] == subjects[1] != subjects[2]
    assert "person" not in subjects[0]
    capsys.readouterr()
    assert print_subject(house.settings, PERSON["sub"]) == 0
    assert capsys.readouterr().out.strip() == subjects[0]


@pytest.mark.parametrize(
    ("roles", "code"),
    [
        (["bowling-club"], "no_role"),
        (["auditors"], "no_role"),  # a role of another desk is none here
        (None, "no_role"),
        ({"reviewers": True}, "no_role"),
        ([["reviewers"], 7], "no_role"),
        (["reviewers", "heads"], "several_roles"),
    ],
    ids=["unknown", "of another desk", "no claim", "no list", "no names", "two"],
)
async def test_a_person_without_one_role_at_this_desk_gets_a_page_and_no_session(house: House, roles: object, code: str) -> None:
    house.issuer.person["roles"] = roles
    async with house.browser() as client:
        assert problem(await signed_in(client)) == (403, code)
        assert SESSION not in client.cookies
    assert await house.rows("web_sessions") == 0


async def test_the_roles_may_stand_deeper_in_the_token_and_bring_an_office(house: House) -> None:
    deeper = house.settings.oidc.model_copy(update={"roles_claim": "realm.roles"})
    party = house.app.state.oidc
    party._settings, party._roles = deeper, ("office_operator",)
    house.issuer.person = {"sub": "op", "realm": {"roles": "azadi"}}
    async with house.browser() as client:
        await signed_in(client)
        found = await house.app.state.sessions.principal(client.cookies[SESSION])
    assert found == Principal("office_operator", found.subject, office="office-1")


async def test_the_button_stands_beside_the_local_accounts_in_both_languages(house: House) -> None:
    for language, words in (("fa", "ورود با حساب سازمانی"), ("en", "Sign in with the work account")):
        async with house.browser(language, "text/html") as client:
            page = (await client.get("/sign-in?next=/staff")).text
            assert words in page
            assert 'href="/sign-in/oidc?next=/staff"' in page
            citizen = (await client.get("/citizen/sign-in")).text
            assert 'href="/citizen/sign-in/oidc' in citizen
    async with house.browser() as client:
        await sign_in(client)
        assert (await client.get("/staff")).json() == {"subject": "a1"}


async def test_without_an_issuer_there_is_no_button_and_no_route(house: House) -> None:
    async with running(house.databases) as (app, _), browser(app, accept="text/html") as client:
        assert "oidc" not in (await client.get("/sign-in")).text
        for path in ("/sign-in/oidc", RETURN, "/signed-out", "/citizen/sign-in/oidc"):
            assert (await client.get(path)).status_code == 404


async def test_what_went_wrong_is_a_plain_page_with_what_to_do_in_both_languages(house: House) -> None:
    for language, title, sentence in (
        ("fa", "وارد نشدید", "از نو شروع کنید"),
        ("en", "You are not signed in", "Start again"),
    ):
        async with house.browser(language, "text/html") as client:
            house.issuer.lies = Lies(
                answer=lambda found: {"error": "access_denied", "state": found["state"], "iss": found["iss"]}
            )
            cancelled = await signed_in(client)
            assert cancelled.status_code == 403
            assert title in cancelled.text
            assert sentence in cancelled.text
            assert 'href="/sign-in"' in cancelled.text
            assert (await client.get(RETURN)).status_code == 403


def cancelled_at_issuer(answer: dict[str, str]) -> dict[str, str]:
    return {"error": "access_denied", "state": answer["state"], "iss": answer["iss"]}


async def test_an_issuer_that_is_away_closes_no_door_and_fills_no_table(house: House) -> None:
    house.issuer.lies = Lies(respond=lambda _path, _honest: PlainTextResponse("gateway", 502))
    async with house.browser(accept="text/html") as client:
        away = await started(client)
        assert (away.status_code, away.headers["retry-after"]) == (503, "2")
        assert "does not answer" in away.text
        asked = house.issuer.asked["/.well-known/openid-configuration"]
        assert (await started(client)).status_code == 503
        assert house.issuer.asked["/.well-known/openid-configuration"] == asked  # those who wait do not each wait it out
        assert await house.rows("web_oidc_transactions") == 0
        await sign_in(client)
        assert SESSION in client.cookies
    house.issuer.lies, house.later = Lies(), 5.0
    async with house.browser() as client:
        assert (await signed_in(client)).status_code == 303


async def test_a_key_is_rotated_without_a_restart_and_a_removed_one_is_refused(house: House) -> None:
    async with house.browser() as client:
        assert (await signed_in(client)).status_code == 303
    old, asked = house.issuer.key, house.issuer.asked["/jwks"]
    house.issuer.rotate()
    async with house.browser() as client:
        assert (await signed_in(client)).status_code == 303
        assert house.issuer.asked["/jwks"] == asked + 1
    house.issuer.lies = Lies(sign=lambda claims: house.issuer.signed(claims, old))
    async with house.browser() as client:
        assert problem(await signed_in(client)) == (403, "sign_in_forged")
        assert house.issuer.asked["/jwks"] == asked + 1  # an invented key id makes no flood against the issuer
        house.later = REFETCH_SECONDS
        assert problem(await signed_in(client)) == (403, "sign_in_forged")
        assert house.issuer.asked["/jwks"] == asked + 2


async def test_a_key_that_is_taken_back_is_believed_for_five_minutes_at_most(house: House) -> None:
    async with house.browser() as client:
        await signed_in(client)
    old = house.issuer.key
    house.issuer.rotate()
    house.issuer.lies = Lies(sign=lambda claims: house.issuer.signed(claims, old))
    house.later = KEYS_SECONDS + 1
    async with house.browser() as client:
        assert problem(await signed_in(client)) == (403, "sign_in_forged")


async def test_a_session_of_before_never_lives_on_and_a_planted_one_is_not_adopted(house: House) -> None:
    async with house.browser() as client:
        await sign_in(client)
        before = client.cookies[SESSION]
        client.cookies.delete(SESSION)
        begun = await started(client)
        client.cookies.set(SESSION, before)
        await client.get(await at_issuer(begun.headers["location"]))
        assert await house.app.state.sessions.principal(before) is None
    async with house.browser() as client:
        client.cookies.set(SESSION, "planted-by-somebody")
        back = await signed_in(client)
        assert back.cookies[SESSION] != "planted-by-somebody"
        assert await house.app.state.sessions.principal("planted-by-somebody") is None


async def test_a_revoked_subject_is_out_at_the_next_request(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(
        database_url=f"postgresql://127.0.0.1:{house.databases.server.port}",
        database_prefix=house.databases.prefix,
        password=SecretStr(house.databases.passwords["review"]),
    )
    async with house.browser() as client:
        await signed_in(client)
        subject = (await client.get("/staff")).json()["subject"]
        assert await revoke(settings, "review", "oidc-somebody-else") == 1
        assert (await client.get("/staff")).status_code == 200
        assert await revoke(settings, "review", subject) == 0
        assert (await client.get("/staff")).status_code == 401
    assert "ended: 1" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["role = 'supervisor'", "office = 'o'", "agency = 'a'", "districts = '{3}'", "active = false"])
async def test_a_session_ends_when_its_account_is_closed_or_changed_however_that_was_done(house: House, change: str) -> None:
    async with house.browser() as client:
        await sign_in(client)
        assert (await client.get("/staff")).status_code == 200
        await house.db.execute(f"UPDATE web_accounts SET {change} WHERE account_id = 'a1'")
        try:
            assert (await client.get("/staff")).status_code == 401
        finally:
            await house.db.execute(ANN)


async def order(house: House, token: str) -> int:
    """The issuer's own order, without cookie and form; the status."""
    async with house.browser() as issuer:
        return (await issuer.post("/sign-in/oidc/logout", data={"logout_token": token})).status_code


async def test_the_issuer_ends_one_session_or_all_of_a_person_by_a_logout_token(house: House) -> None:
    async with house.browser() as one, house.browser() as two, house.browser() as other:
        for client, sid in ((one, "first"), (two, "second")):
            house.issuer.person["sid"] = sid
            await signed_in(client)
        house.issuer.person = {**PERSON, "sub": "person-8"}
        await signed_in(other)
        house.issuer.person = dict(PERSON)
        assert await order(house, house.issuer.logout_token(sid="first")) == 200
        assert [(await client.get("/staff")).status_code for client in (one, two, other)] == [401, 200, 200]
        assert await order(house, house.issuer.logout_token()) == 200
        assert [(await client.get("/staff")).status_code for client in (one, two, other)] == [401, 401, 200]


async def test_a_forged_order_to_log_out_ends_nothing(house: House) -> None:
    issuer = house.issuer
    async with house.browser() as client:
        await signed_in(client)
        stranger = type(issuer)(set()).key
        forged = {
            "an ID token": issuer.signed(issuer.claims("n", "a")),
            "another key": issuer.logout_token(stranger),
            "another issuer": issuer.logout_token(iss="https://other.example"),
            "another client": issuer.logout_token(aud="somebody"),
            "an old one": issuer.logout_token(exp=1),
            "a nonce": issuer.logout_token(nonce="n"),
            "no event": issuer.logout_token(events={"something": {}}),
            "no time": issuer.logout_token(without="iat"),
            "no name": issuer.logout_token(without="jti"),
            "nobody": issuer.logout_token(without="sub"),
            "nothing": "",
            "noise": "a.b.c",
        }
        for what, token in forged.items():
            assert await order(house, token) == 400, what
        assert (await client.get("/staff")).status_code == 200


async def test_who_signs_out_is_told_that_the_issuer_may_still_know_them(house: House) -> None:
    async with house.browser(accept="text/html") as client:
        await signed_in(client)
        page = await client.get("/", headers={"Accept": "text/html"})
        hidden = next(each for each in forms(page.text) if each.action == "/sign-out").hidden
        out = await client.post("/sign-out", data=hidden)
        assert (out.status_code, out.headers["location"]) == (303, "/signed-out")
        assert "Sign out there too" in (await client.get("/signed-out")).text
        assert f"{house.issuer.url}/end?client_id=" in (await client.get("/signed-out")).text
        assert await house.rows("web_sessions") == 0
        await sign_in(client)
        local = await client.post("/sign-out", data={"_csrf": await csrf(client)})
        assert local.headers["location"] == "/"


async def test_a_citizen_by_issuer_is_the_citizen_by_one_time_code(house: House) -> None:
    house.issuer.person = dict(CITIZEN)
    async with house.browser() as client:
        assert (await signed_in(client, "/citizen/sign-in/oidc", "/mine")).headers["location"] == "/mine"
        by_issuer = (await client.get("/mine")).json()["subject"]
        row = await house.db.fetchval("SELECT principal::text FROM web_sessions")
        assert CITIZEN["name"] not in row
        assert CODE not in row
    async with house.browser() as client:
        page = await fill(client, "/citizen/sign-in", {"national_code": CODE, "mobile": "09131234567"})
        form = next(each for each in forms(page.text) if each.action == "/citizen/code")
        await client.post("/citizen/code", data={**form.hidden, "code": house.sent[-1][1]})
        assert (await client.get("/mine")).json()["subject"] == by_issuer


@pytest.mark.parametrize(
    "claims",
    [
        {"national_code": None}, {"national_code": "1111111111"}, {"national_code": int(CODE)}, {"phone_number": "+491701234567"},
        {"phone_number": None}, {"phone_number_verified": False},
    ],
    ids=["no code", "no such code", "a number", "foreign mobile", "no mobile", "unproved mobile"],
)  # fmt: skip
async def test_a_citizen_without_a_proved_code_and_mobile_is_not_signed_in(house: House, claims: dict[str, object]) -> None:
    house.issuer.person = {**CITIZEN, **claims}
    async with house.browser() as client:
        assert problem(await signed_in(client, "/citizen/sign-in/oidc")) == (403, "not_a_citizen")
    assert await house.rows("web_citizens") + await house.rows("web_sessions") == 0


async def test_an_account_of_the_issuer_never_becomes_another_citizen(house: House) -> None:
    house.issuer.person = dict(CITIZEN)
    async with house.browser() as client:
        await signed_in(client, "/citizen/sign-in/oidc")
    house.issuer.person["national_code"] = national_code(345_678_913)
    async with house.browser() as client:
        assert problem(await signed_in(client, "/citizen/sign-in/oidc")) == (403, "another_person")


async def test_the_issuers_mobile_ends_what_was_bound_to_anothers(house: House) -> None:
    async with house.browser() as squatter:
        page = await fill(squatter, "/citizen/sign-in", {"national_code": CODE, "mobile": "09139999999"})
        form = next(each for each in forms(page.text) if each.action == "/citizen/code")
        await squatter.post("/citizen/code", data={**form.hidden, "code": house.sent[-1][1]})
        assert (await squatter.get("/mine")).status_code == 200
        house.issuer.person = dict(CITIZEN)
        async with house.browser() as client:
            await signed_in(client, "/citizen/sign-in/oidc")
            assert (await client.get("/mine")).status_code == 200
        assert (await squatter.get("/mine")).status_code == 401
        sent = len(house.sent)
        await fill(squatter, "/citizen/sign-in", {"national_code": CODE, "mobile": "09139999999"})
        assert len(house.sent) == sent


async def test_no_secret_of_a_transaction_but_hashes_and_what_must_be_sent_stands_in_its_row(house: House) -> None:
    begun = await Transactions(house.db).begin(citizen=False, to="/")
    row = str(tuple(await house.db.fetchrow("SELECT * FROM web_oidc_transactions") or ()))
    assert begun.transaction.verifier in row
    assert begun.state not in row
    assert begun.browser not in row
    assert begun.state not in repr(begun)
    assert begun.transaction.verifier not in repr(begun)


async def test_who_begins_too_often_is_slowed_down(house: House) -> None:
    oidc = Oidc(issuer="https://127.0.0.1:9", client_id="c", roles=ROLES)  # nobody is there, and nobody need be
    settings = house.settings.model_copy(update={"environment": Environment.PRODUCTION, "oidc": oidc})
    async with running(house.databases, settings, sign_ins_a_minute=1) as (app, _), browser(app) as client:
        assert [(await client.get("/sign-in/oidc")).status_code for _ in range(2)] == [503, 429]


async def test_a_name_that_cannot_be_stored_or_a_page_that_is_none_breaks_nothing(house: House) -> None:
    house.issuer.person["name"] = "زر\x00\u200cتاج\n"
    async with house.browser() as client:
        back = await signed_in(client, to="/staff\x01")
        assert (back.status_code, back.headers["location"]) == (303, "/")
        found = await house.app.state.sessions.principal(client.cookies[SESSION])
        assert found.name == "زر\u200cتاج"
    async with house.browser() as client:
        assert (await signed_in(client, to="/" + "x" * 3000)).headers["location"] == "/"


def test_settings_that_could_not_be_safe_are_refused(tmp_path: Path) -> None:
    good: dict[str, Any] = {"issuer": "https://id.example", "client_id": "c", "roles": {"r": Seat(role="reviewer")}}
    assert Oidc(**good).on
    assert not Oidc().on
    refused: tuple[dict[str, Any], ...] = (
        {"issuer": "http://id.example"}, {"issuer": "https://id.example?x=1"}, {"issuer": "https://id.example#x"},
        {"issuer": "https://u:p@id.example"}, {"issuer": "id.example"}, {"client_id": ""}, {"scopes": "profile"}, {"roles": {}},
    )  # fmt: skip
    for wrong in refused:
        with pytest.raises(ValidationError):
            Oidc(**{**good, **wrong})
    container = Oidc(**{**good, "issuer": "http://127.0.0.1:9"})
    assert Settings(oidc=container).oidc.plain
    with pytest.raises(ValidationError):
        Settings(oidc=container, environment=Environment.PRODUCTION)
    with pytest.raises(Unset):
        check(Settings(oidc=container), "demo")
    with pytest.raises(KeyFileMissing):
        check(Settings(oidc=container, doors={"demo": DOOR}, keys=tmp_path), "demo")


def test_the_table_of_roles_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARVANDEH_OIDC_ISSUER", "https://id.example")
    monkeypatch.setenv("PARVANDEH_OIDC_CLIENT_ID", "c")
    monkeypatch.setenv("PARVANDEH_OIDC_ROLES", '{"azadi": {"role": "office_operator", "office": "office-1"}}')
    monkeypatch.setenv("PARVANDEH_OIDC_CLIENT_SECRET", SECRET)
    oidc = Settings().oidc
    assert oidc.roles == {"azadi": Seat(role="office_operator", office="office-1")}
    assert SECRET not in repr(oidc)
    assert isinstance(oidc, Oidc)

"""Every answer that is not the issuer's honest one is refused, by the check that is meant to refuse it, and leaves no session."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from structlog.testing import capture_logs

from chassis.accounts.oidc.issuer import BYTES
from tests.web.issuer import CLIENT, SECRET, Issuer, Lies
from tests.web.oidc_harness import CITIZEN, PERSON, House, at_issuer, problem, signed_in, started

Claims = dict[str, Any]


@dataclass(frozen=True)
class Forgery:
    """A way of the issuer, or of somebody between, to answer otherwise; and what the door must say to it."""

    lies: Callable[[Issuer], Lies]
    code: str = "sign_in_forged"
    reason: str | None = None


def told(**change: Any) -> Callable[[Issuer], Lies]:
    """Other claims in a token that is signed by the true key; None leaves a claim out."""

    def claims(found: Claims) -> Claims:
        return {name: value for name, value in {**found, **change}.items() if value is not None}

    return lambda _: Lies(claims=claims)


def answered(**change: Any) -> Callable[[Issuer], Lies]:
    """Other parameters on the way back; None leaves one out."""

    def answer(found: Claims) -> Claims:
        return {name: value for name, value in {**found, **change}.items() if value is not None}

    return lambda _: Lies(answer=answer)


def signed(make: Callable[[Issuer, Claims], str]) -> Callable[[Issuer], Lies]:
    return lambda issuer: Lies(sign=lambda claims: make(issuer, claims))


def responding(path: str, make: Callable[[], Response]) -> Callable[[Issuer], Lies]:
    return lambda _: Lies(respond=lambda container, honest: make() if container == path else honest)


def by_hand(header: Claims, claims: Claims, secret: bytes | None = None) -> str:
    """A token as no library makes it."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    mac = hmac.digest(secret, ".".join(parts).encode(), "sha256") if secret else b""
    return ".".join((*parts, base64.urlsafe_b64encode(mac).decode().rstrip("=")))


def unsigned(_: Issuer, claims: Claims) -> str:
    return by_hand({"alg": "none"}, claims)


def by_public_key(issuer: Issuer, claims: Claims) -> str:
    """HS256 with the published key as the secret: the old confusion of algorithms."""
    assert isinstance(issuer.key, ECKey)
    return by_hand({"alg": "HS256", "kid": issuer.key.kid}, claims, issuer.key.as_pem(private=False))


def by_client_secret(issuer: Issuer, claims: Claims) -> str:
    return issuer.signed(claims, OctKey.import_key(SECRET, {"kid": str(issuer.key.kid)}), alg="HS256")


def by_published_secret(issuer: Issuer, claims: Claims) -> str:
    """A symmetric key in the set: whoever reads the set could sign."""
    secret = OctKey.import_key("a-secret-that-everybody-can-read", {"kid": "oct", "use": "sig"})
    issuer.published.append(secret)
    return issuer.signed(claims, secret, alg="HS256")


def by_stranger(issuer: Issuer, claims: Claims, kid: str | None = None) -> str:
    return issuer.signed(claims, ECKey.generate_key("P-256", {"kid": kid or str(issuer.key.kid)}))


def by_key_in_the_header(issuer: Issuer, claims: Claims) -> str:
    db = ECKey.generate_key("P-256", {"kid": str(issuer.key.kid)})
    return issuer.signed(claims, db, jwk=db.as_dict(private=False))


def by_weak_key(issuer: Issuer, claims: Claims) -> str:
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024, {"kid": "weak", "use": "sig"})
    issuer.published.append(weak)
    return issuer.signed(claims, weak, alg="RS256")


def by_removed_key(issuer: Issuer, claims: Claims) -> str:
    old = issuer.key
    issuer.rotate()
    return issuer.signed(claims, old)


def by_key_for_encryption(issuer: Issuer, claims: Claims) -> str:
    other = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"})
    issuer.published.append(other)
    return issuer.signed(claims, ECKey.import_key({**other.as_dict(private=True), "use": "sig"}), alg="ES256")


def altered(issuer: Issuer, claims: Claims) -> str:
    """The claims of a genuine token exchanged for others."""
    head, _, signature = issuer.signed(claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "somebody-else"}).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def with_half_a_character(issuer: Issuer, claims: Claims) -> str:
    body = json.dumps({**claims, "sub": "\ud800"})
    return jws.serialize_compact({"alg": "ES256", "kid": issuer.key.kid}, body, issuer.key)


def packed() -> Response:
    return Response(b"\x1f\x8b" + bytes(20), headers={"Content-Encoding": "gzip"}, media_type="application/json")


def endless() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(BYTES // 1000 + 400):
            yield b" " * 1000

    return StreamingResponse(pieces(), media_type="application/json")


def moved() -> Response:
    return RedirectResponse("http://127.0.0.1:9/elsewhere", 307)


NOW = int(time.time())
FORGERIES = {
    # what comes back with the browser
    "a wrong state": Forgery(answered(state="another"), "sign_in_expired"),
    "no state": Forgery(answered(state=None), reason="no_state"),
    "no code": Forgery(answered(code=None), reason="no_code"),
    "an invented code": Forgery(answered(code="invented"), "issuer_refused"),
    "a code of noise": Forgery(answered(code="\x01\né&=%"), "issuer_refused"),
    "a parameter twice": Forgery(lambda _: Lies(twice="state"), reason="parameter_twice"),
    "the iss parameter of another issuer (mix-up)": Forgery(answered(iss="https://other.example"), reason="iss_parameter"),
    "no iss parameter though it was promised": Forgery(answered(iss=None), reason="no_iss_parameter"),
    "cancelled by the person": Forgery(answered(code=None, error="access_denied"), "sign_in_cancelled"),
    "cancelled in the name of another issuer": Forgery(
        answered(code=None, error="access_denied", iss="https://other.example"), reason="iss_parameter"
    ),
    "an error of the issuer": Forgery(answered(code=None, error="invalid_scope"), "issuer_refused"),
    "an issuer that is overloaded": Forgery(answered(code=None, error="temporarily_unavailable"), "issuer_away"),
    # claims under the issuer's true signature
    "a wrong nonce": Forgery(told(nonce="another"), reason="invalid_claim_nonce"),
    "no nonce": Forgery(told(nonce=None), reason="missing_claim_nonce"),
    "a wrong issuer": Forgery(told(iss="https://other.example"), reason="invalid_claim_iss"),
    "no issuer": Forgery(told(iss=None), reason="missing_claim_iss"),
    "a wrong audience": Forgery(told(aud="somebody"), reason="invalid_claim_aud"),
    "audiences without us": Forgery(told(aud=["a", "b"], azp="a"), reason="invalid_claim_aud"),
    "several audiences and no authorized party": Forgery(told(aud=[CLIENT, "b"]), reason="missing_claim_azp"),
    "several audiences and another authorized party": Forgery(told(aud=[CLIENT, "b"], azp="b"), reason="invalid_claim_azp"),
    "expired": Forgery(told(exp=NOW - 3600), reason="expired_token_exp"),
    "no end": Forgery(told(exp=None), reason="missing_claim_exp"),
    "an end that is no number": Forgery(told(exp="tomorrow"), reason="invalid_claim_exp"),
    "an end that never comes": Forgery(told(exp=float("nan")), reason="invalid_claim_exp"),
    "not yet valid": Forgery(told(nbf=NOW + 3600), reason="invalid_claim_nbf"),
    "issued in the future": Forgery(told(iat=NOW + 3600), reason="invalid_claim_iat"),
    "no sub": Forgery(told(sub=None), reason="missing_claim_sub"),
    "an empty sub": Forgery(told(sub=""), reason="invalid_claim_sub"),
    "a sub that is no text": Forgery(told(sub=7), reason="invalid_claim_sub"),
    "a sub that no text can be": Forgery(signed(with_half_a_character), reason="invalid_claim_sub"),
    "a sub without end": Forgery(told(sub="s" * 256), reason="invalid_claim_sub"),
    "the hash of another access token": Forgery(told(at_hash="AAAA"), reason="invalid_claim_at_hash"),
    # signatures
    "alg none": Forgery(signed(unsigned), reason="unsupported_algorithm"),
    "HS256 with the public key": Forgery(signed(by_public_key), reason="unsupported_algorithm"),
    "HS256 with the client secret": Forgery(signed(by_client_secret), reason="unsupported_algorithm"),
    "HS256 with a published secret": Forgery(signed(by_published_secret), reason="unsupported_algorithm"),
    "an unknown kid": Forgery(signed(lambda issuer, claims: by_stranger(issuer, claims, "unknown")), reason="unknown_key"),
    "a removed key after rotation": Forgery(signed(by_removed_key), reason="unknown_key"),
    "a key for encryption": Forgery(signed(by_key_for_encryption), reason="unknown_key"),
    "a key too weak": Forgery(signed(by_weak_key), reason="unknown_key"),
    "a wrong signature": Forgery(signed(by_stranger), reason="bad_signature"),
    "a key that the token brings itself": Forgery(signed(by_key_in_the_header), reason="bad_signature"),
    "altered claims": Forgery(signed(altered), reason="bad_signature"),
    "a critical header that we do not know": Forgery(
        signed(lambda issuer, claims: by_hand({"alg": "ES256", "kid": issuer.key.kid, "crit": ["x"], "x": 1}, claims)),
        reason="unsupported_header",
    ),
    "noise for a token": Forgery(signed(lambda _issuer, _claims: "noise"), reason="decode_error"),
    # the token endpoint
    "no ID token": Forgery(lambda _: Lies(token=lambda found: {**found, "id_token": None}), reason="no_token"),
    "an ID token that is no text": Forgery(lambda _: Lies(token=lambda found: {**found, "id_token": [1]}), reason="no_token"),
    "an error of the token endpoint": Forgery(
        responding("/token", lambda: JSONResponse({"error": "invalid_grant", "error_description": PERSON["name"]}, 400)),
        "issuer_refused",
    ),
    "a broken token endpoint": Forgery(responding("/token", lambda: PlainTextResponse("oh", 500)), "issuer_away"),
    "a page for an answer": Forgery(responding("/token", lambda: PlainTextResponse("<html>")), reason="token_answer"),
    "brackets without end": Forgery(responding("/token", lambda: PlainTextResponse("[" * 100_000)), reason="token_answer"),
    "a token endpoint that sends elsewhere": Forgery(responding("/token", moved), "issuer_away"),
    "an oversized token answer": Forgery(responding("/token", endless), "issuer_away"),
    "a packed token answer": Forgery(responding("/token", packed), "issuer_away"),
    # the keys
    "oversized keys": Forgery(responding("/jwks", endless), "issuer_away"),
    "keys that are elsewhere": Forgery(responding("/jwks", moved), "issuer_away"),
    "no keys": Forgery(responding("/jwks", lambda: JSONResponse({"keys": []})), reason="keys"),
    "keys that are none": Forgery(
        responding("/jwks", lambda: JSONResponse({"keys": [1, {"kty": "EC"}, {"kty": "RSA", "n": "!", "e": "!"}]})), reason="keys"
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_or_broken_answer_is_refused_and_leaves_no_session(
    house: House, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    forgery, published = FORGERIES[name], list(house.issuer.published)
    async with house.browser() as client:
        begun = await started(client)
        house.issuer.lies = forgery.lies(house.issuer)
        capfd.readouterr()
        back = await at_issuer(begun.headers["location"])
        with capture_logs() as lines:
            answer = await client.get(back)
        house.issuer.published = published if "removed" not in name else house.issuer.published
        assert problem(answer)[1] == forgery.code, lines
        assert [(line["code"], line["reason"]) for line in lines] == [(forgery.code, forgery.reason)]
        assert "parvandeh_demo" not in client.cookies
        house.issuer.lies = Lies()
        if "state" not in name and "twice" not in name:  # there the question was not even found
            assert problem(await client.get(back))[1] == "sign_in_expired"
    assert await house.rows("web_sessions") == 0
    out = "".join(capfd.readouterr())
    assert not any(text in out for text in (PERSON["name"], PERSON["sub"], SECRET)), out


@pytest.mark.parametrize(
    ("name", "lies", "code"),
    [
        ("another issuer", Lies(discovery=lambda d: {**d, "issuer": "https://other.example"}), "sign_in_forged"),
        ("an issuer in upper case", Lies(discovery=lambda d: {**d, "issuer": d["issuer"].upper()}), "sign_in_forged"),
        ("an endpoint without TLS", Lies(discovery=lambda d: {**d, "token_endpoint": "http://other.example/"}), "sign_in_forged"),
        ("an endpoint that is none", Lies(discovery=lambda d: {**d, "jwks_uri": "file:///etc/passwd"}), "sign_in_forged"),
        ("no endpoint", Lies(discovery=lambda d: {"issuer": d["issuer"]}), "sign_in_forged"),
        ("a list", Lies(respond=lambda _path, _honest: JSONResponse([1])), "sign_in_forged"),
        ("a page", Lies(respond=lambda _path, _honest: PlainTextResponse("<html>")), "issuer_away"),
        ("elsewhere", Lies(respond=lambda _path, _honest: moved()), "issuer_away"),
        ("oversized", Lies(respond=lambda _path, _honest: endless()), "issuer_away"),
        ("packed", Lies(respond=lambda _path, _honest: packed()), "issuer_away"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_forged_or_broken_discovery_document_sends_nobody_away(house: House, name: str, lies: Lies, code: str) -> None:
    house.issuer.lies = lies
    async with house.browser() as client:
        assert problem(await started(client))[1] == code, name
    assert await house.rows("web_oidc_transactions") == 0


async def test_an_answer_is_believed_once(house: House) -> None:
    async with house.browser() as client:
        back = await at_issuer((await started(client)).headers["location"])
        bound = client.cookies["parvandeh_demo_oidc"]
        assert (await client.get(back)).status_code == 303
        client.cookies.clear()
        client.cookies.set("parvandeh_demo_oidc", bound)  # taken away with the answer, but who replays it may have kept it
        assert problem(await client.get(back)) == (403, "sign_in_expired")


async def test_an_answer_is_believed_in_the_browser_that_asked_and_no_other(house: House) -> None:
    async with house.browser() as mine, house.browser() as other:
        back = await at_issuer((await started(mine)).headers["location"])
        await started(other)
        assert problem(await other.get(back)) == (403, "sign_in_expired")
        async with house.browser() as stranger:
            assert problem(await stranger.get(back)) == (403, "sign_in_expired")
        assert (await mine.get(back)).status_code == 303  # a stranger's try does not use it up either


async def test_an_answer_after_ten_minutes_is_too_late(house: House) -> None:
    async with house.browser() as client:
        back = await at_issuer((await started(client)).headers["location"])
        await house.db.execute("UPDATE web_oidc_transactions SET expires_at = now()")
        assert problem(await client.get(back)) == (403, "sign_in_expired")


async def test_a_code_that_was_stolen_on_its_way_is_worthless_without_the_verifier(house: House) -> None:
    """The issuer refuses: PKCE binds the code to the transaction that asked for it."""
    async with house.browser() as thief, house.browser() as owner:
        stolen = httpx2.URL(await at_issuer((await started(owner)).headers["location"])).params["code"]
        house.issuer.lies = Lies(answer=lambda found: {**found, "code": stolen})
        assert problem(await signed_in(thief)) == (403, "issuer_refused")


async def test_an_issuer_that_answers_by_drops_meets_the_deadline_of_the_whole_call(house: House) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.1)  # what is slow here is the issuer

    house.afresh(seconds=0.5)
    house.issuer.lies = Lies(respond=lambda _path, _honest: StreamingResponse(drops()))
    began = time.monotonic()
    async with house.browser() as client:
        assert problem(await started(client)) == (503, "issuer_away")
    assert time.monotonic() - began < 9  # the drops would take ten seconds


async def test_a_login_of_a_citizen_leaves_nothing_of_them_in_a_log_line(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    for claims in ({}, {"national_code": "1111111111"}):
        house.issuer.person = {**CITIZEN, **claims}
        async with house.browser() as client:
            await signed_in(client, "/citizen/sign-in/oidc", "/mine")
    out = "".join(capfd.readouterr())
    assert "not_a_citizen" in out
    assert not any(str(value).removeprefix("+98") in out for value in CITIZEN.values()), out


def test_there_are_far_more_than_fifteen() -> None:
    assert len(FORGERIES) >= 50

"""The issuer's tokens, believed only after every check of OpenID Connect Core 1.0, section 3.1.3.7, and RFC 8725."""

from __future__ import annotations

from typing import Any, Final

from authlib.oauth2.claims import JWTClaims
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import Token

from chassis.accounts.oidc.issuer import Issuer
from chassis.accounts.oidc.refusals import SignInForged

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Never `none`; never HMAC, with which our own client secret or the public key itself could sign."""
LEEWAY: Final = 60
"""Seconds by which the issuer's clock and ours may differ."""
LONGEST_SUBJECT: Final = 255
LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
_MALFORMED: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


async def id_token(answer: dict[str, Any], issuer: Issuer, nonce: str) -> dict[str, Any]:
    """The claims of the ID token in a token endpoint's answer. Raises SignInForged, IssuerAway."""
    token = await _verified(answer.get("id_token"), issuer)
    claims = CodeIDToken(
        token.claims,
        token.header,
        _expected(issuer) | {"sub": {"essential": True}},
        {"nonce": nonce, "client_id": issuer.settings.client_id, "access_token": answer.get("access_token")},
    )
    return _validated(claims)


async def logout_token(token: object, issuer: Issuer) -> dict[str, Any]:
    """The claims of a logout token: `sub`, `sid`, or both (Back-Channel Logout 1.0, section 2.6).

    Raises SignInForged, IssuerAway.
    """
    verified = await _verified(token, issuer)
    options = _expected(issuer) | {name: {"essential": True} for name in ("iat", "exp", "jti", "events")}
    claims = _validated(JWTClaims(verified.claims, verified.header, options))
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict):
        raise SignInForged("logout_events")  # an ID token of the same issuer is no order to end a session
    if "nonce" in claims:
        raise SignInForged("logout_nonce")
    if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
        raise SignInForged("logout_nobody")
    return claims


def _expected(issuer: Issuer) -> dict[str, dict[str, Any]]:
    return {
        "iss": {"essential": True, "value": issuer.settings.issuer},
        "aud": {"essential": True, "value": issuer.settings.client_id},
    }


async def _verified(token: object, issuer: Issuer) -> Token:
    if not isinstance(token, str):
        raise SignInForged("no_token")
    try:
        return _decoded(token, await issuer.keys())
    except InvalidKeyIdError:
        try:
            return _decoded(token, await issuer.keys(unknown=True))
        except InvalidKeyIdError:
            raise SignInForged("unknown_key") from None


def _decoded(token: str, keys: KeySet) -> Token:
    """Raises InvalidKeyIdError, SignInForged."""
    try:
        return jwt.decode(token, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))
    except InvalidKeyIdError:
        raise
    except JoseError as error:
        raise SignInForged(error.error) from None
    except _MALFORMED:
        raise SignInForged("malformed_token") from None


def _validated(claims: Any) -> dict[str, Any]:
    try:
        claims.validate(leeway=LEEWAY)
    except ClaimError as error:
        known = error.claim if error.claim in (*claims.REGISTERED_CLAIMS, *claims.options) else "several"
        raise SignInForged(f"{error.error}_{known}") from None
    except (JoseError, *_MALFORMED):
        raise SignInForged("malformed_claims") from None
    for name in ("sub", "sid"):
        value = claims.get(name)
        if isinstance(value, str) and (len(value) > LONGEST_SUBJECT or not value.isprintable()):
            raise SignInForged(f"invalid_claim_{name}")
    return dict(claims)

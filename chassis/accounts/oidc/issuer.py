"""The issuer as this door reaches it: discovery, keys and token endpoint, each call bounded in time and size."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any, Final, Self

import httpx2
import orjson
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey, import_key
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from chassis.accounts.oidc.refusals import IssuerAway, IssuerRefused, SignInForged
from chassis.oidc_settings import Oidc, reachable

SECONDS: Final = 5.0
"""For one call, however many small pieces its answer comes in."""
BYTES: Final = 256 * 1024
METADATA_SECONDS: Final = 3600.0
KEYS_SECONDS: Final = 300.0
"""How long a key that the issuer has taken back may still be believed, at most."""
REFETCH_SECONDS: Final = 10.0
"""Between two looks for an unknown key: else whoever sends us invented key ids makes us a flood against the issuer."""
AWAY_SECONDS: Final = 2.0
"""For so long nobody asks again after a call that failed: those who waited behind it would else wait out one after the other."""
RSA_BITS: Final = 2048
_UNREADABLE: Final = (ValueError, RecursionError)


class Metadata(BaseModel):
    """What of the discovery document is used (OpenID Connect Discovery 1.0, section 3)."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    @model_validator(mode="after")
    def _endpoints(self) -> Self:
        plain = self.issuer.startswith("http://")
        urls = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.end_session_endpoint)
        if not all(reachable(url, plain=plain) for url in urls if url is not None):
            raise ValueError("an endpoint is not reached by https")
        return self


class _TooMuch(httpx2.TransportError):
    """The issuer answers with more than is read."""


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._stream:
            read += len(piece)
            if read > BYTES:
                raise _TooMuch("the answer is too large")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Bounded(httpx2.AsyncHTTPTransport):
    """Reads at most BYTES of an answer, and no packed one: a few bytes of it could unpack to gigabytes."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            await answer.aclose()
            raise _TooMuch("the answer is packed")
        if isinstance(answer.stream, httpx2.AsyncByteStream):
            answer.stream = _Counted(answer.stream)
        return answer


@cache
def _authorities() -> ssl.SSLContext:
    """Whom TLS believes; SSL_CERT_FILE names the authority of an issuer of the city's own. 40 ms to read, so read once."""
    return httpx2.create_ssl_context()


class Issuer:
    """One issuer. What it says of itself is asked when first needed, so that a door opens also while the issuer is away."""

    def __init__(self, settings: Oidc, now: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        """`now`, in seconds, never runs backwards; `seconds`: what one call may take."""
        self.settings, self._now, self._seconds = settings, now, seconds
        self._metadata: Metadata | None = None
        self._keys: KeySet | None = None
        self._metadata_at = self._keys_at = 0.0
        self._renewed_at: float | None = None
        self._away_until = float("-inf")
        self._asking = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """The discovery document. Raises IssuerAway, SignInForged when it names another issuer."""
        async with self._asking:
            if self._metadata is None or self._now() - self._metadata_at > METADATA_SECONDS:
                self._metadata = await self._discover()
                self._metadata_at = self._now()
            return self._metadata

    async def _discover(self) -> Metadata:
        document = await self._get(get_well_known_url(self.settings.issuer, external=True))
        try:
            found = Metadata.model_validate(document)
        except ValidationError:
            raise SignInForged("discovery") from None
        if found.issuer != self.settings.issuer:
            raise SignInForged("discovery_issuer")  # else any document at that address could name endpoints of its own
        return found

    async def keys(self, *, unknown: bool = False) -> KeySet:
        """The issuer's signing keys, at most KEYS_SECONDS old.

        `unknown`: a token names a key that is not among them; they are asked for once more, unless that was done within the
        last REFETCH_SECONDS. Raises IssuerAway, SignInForged.
        """
        where = (await self.metadata()).jwks_uri
        async with self._asking:
            now = self._now()
            renew = unknown and (self._renewed_at is None or now - self._renewed_at >= REFETCH_SECONDS)
            if renew:
                self._renewed_at = now  # before the call: one that fails counts too
            if self._keys is None or renew or now - self._keys_at > KEYS_SECONDS:
                self._keys = _signing_keys(await self._get(where))
                self._keys_at = self._now()
            return self._keys

    async def _get(self, url: str) -> Any:
        if self._now() < self._away_until:
            raise IssuerAway
        try:
            async with asyncio.timeout(self._seconds), httpx2.AsyncClient(**self._bounds()) as client:
                answer = await client.get(url, headers={"Accept": "application/json"})
            if answer.status_code != 200:
                raise IssuerAway  # a redirect too: the issuer is where the settings say, and nowhere else
            return orjson.loads(answer.content)
        except (httpx2.HTTPError, TimeoutError, IssuerAway, *_UNREADABLE):
            self._away_until = self._now() + AWAY_SECONDS
            raise IssuerAway from None

    async def authorization(self, *, state: str, nonce: str, verifier: str, redirect_uri: str, language: str) -> str:
        """Where the person is sent to (Core 1.0, section 3.1.2.1; PKCE by RFC 7636). Raises IssuerAway, SignInForged."""
        where = (await self.metadata()).authorization_endpoint
        client = OAuth2Client(
            None, self.settings.client_id, scope=self.settings.scopes, redirect_uri=redirect_uri, code_challenge_method="S256"
        )
        url, _ = client.create_authorization_url(where, state=state, code_verifier=verifier, nonce=nonce, ui_locales=language)
        return str(url)

    async def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """The answer of the token endpoint for a code. Raises IssuerAway, IssuerRefused, SignInForged."""
        metadata = await self.metadata()
        try:
            # A client of its own for each: Authlib's keeps the token that it was given, and the next person must not meet it.
            async with asyncio.timeout(self._seconds), self._client(redirect_uri, self._method(metadata)) as client:
                found: dict[str, Any] = await client.fetch_token(metadata.token_endpoint, code=code, code_verifier=verifier)
        except OAuthError:
            raise IssuerRefused from None
        except (httpx2.HTTPError, TimeoutError):
            raise IssuerAway from None
        except _UNREADABLE:
            raise SignInForged("token_answer") from None
        return dict(found)

    def _method(self, metadata: Metadata) -> str:
        if not self.settings.client_secret.get_secret_value():
            return "none"
        offered = metadata.token_endpoint_auth_methods_supported
        return "client_secret_post" if "client_secret_basic" not in offered else "client_secret_basic"

    def _client(self, redirect_uri: str, method: str) -> Any:
        return AsyncOAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret.get_secret_value() or None,
            redirect_uri=redirect_uri,
            token_endpoint_auth_method=method,
            **self._bounds(),
        )

    def _bounds(self) -> dict[str, Any]:
        return {
            "transport": _Bounded(verify=_authorities()),
            "timeout": self._seconds,
            "follow_redirects": False,
            "headers": {"Accept-Encoding": "identity"},
        }


def _signing_keys(document: Any) -> KeySet:
    """The keys of a JWK set (RFC 7517) that can verify a signature; what cannot be read or is too weak is left out.

    No symmetric key is taken: with one, whoever knows it could sign as the issuer.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise SignInForged("keys")
    keys = [key for each in listed if (key := _signing_key(each)) is not None]
    if not keys:
        raise SignInForged("keys")
    return KeySet(keys)


def _signing_key(described: Any) -> Key | None:
    if not isinstance(described, dict) or described.get("use", "sig") != "sig" or described.get("kty") not in ("RSA", "EC"):
        return None
    try:
        key = import_key({name: value for name, value in described.items() if name not in ("d", "p", "q", "dp", "dq", "qi")})
        if isinstance(key, RSAKey):
            return key if key.public_key.key_size >= RSA_BITS else None
        return key if isinstance(key, ECKey) else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None

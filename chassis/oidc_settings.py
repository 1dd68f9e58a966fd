"""Which issuer a door believes, and who its people are here: `PARVANDEH_OIDC_*`. Nothing is on without an issuer."""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Seat(BaseModel):
    """What a value of the roles claim is here: a role of domain.md, and the office or agency that bounds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = Field(min_length=1)
    office: str | None = None
    agency: str | None = None


class Oidc(BaseSettings):
    """The issuer and what is believed of it."""

    model_config = SettingsConfigDict(
        env_prefix="PARVANDEH_OIDC_", frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    issuer: str = ""
    """The issuer's identifier, exactly as its discovery document and its tokens say it; empty: no sign-in by OpenID Connect."""
    client_id: str = ""
    """As what this door is registered at the issuer."""
    client_secret: SecretStr = SecretStr("")
    """The client's secret; empty: a public client, which PKCE alone protects."""
    scopes: str = "openid profile"
    """What is asked of the issuer, separated by blanks; `openid` is among it."""
    roles_claim: str = "roles"
    """The claim of the ID token whose values `roles` knows; `a.b` is the member b of the claim a."""
    roles: dict[str, Seat] = Field(default_factory=dict)
    """JSON: `{"heads": {"role": "supervisor"}, "azadi": {"role": "office_operator", "office": "office-1"}}`."""
    national_code_claim: str = ""
    """The claim with a citizen's national code, which the issuer must have proved; empty: no citizen comes this way."""
    mobile_claim: str = "phone_number"
    """The claim with a citizen's mobile, which the issuer must have proved."""

    @property
    def on(self) -> bool:
        """Whether anybody signs in this way."""
        return bool(self.issuer)

    @property
    def plain(self) -> bool:
        """Whether the issuer is reached without TLS, as only one on this very machine may be."""
        return self.issuer.startswith("http://")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.on:
            return self
        if not reachable(self.issuer, plain=self.plain) or urlsplit(self.issuer).query:
            raise ValueError("PARVANDEH_OIDC_ISSUER is an https URL without query and fragment (http only on the loopback)")
        if not self.client_id:
            raise ValueError("PARVANDEH_OIDC_CLIENT_ID is missing")
        if "openid" not in self.scopes.split():
            raise ValueError("PARVANDEH_OIDC_SCOPES must name openid")
        if not self.roles and not self.national_code_claim:
            raise ValueError("PARVANDEH_OIDC_ROLES or PARVANDEH_OIDC_NATIONAL_CODE_CLAIM is needed, else nobody could sign in")
        return self


def reachable(url: str, *, plain: bool) -> bool:
    """Whether `url` may be an endpoint of the issuer: https; http only on the loopback, and only where the issuer is so too."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username or parts.password or parts.fragment:
        return False
    return parts.scheme == "https" or (plain and parts.scheme == "http" and host in _LOOPBACK)

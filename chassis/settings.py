"""The settings of a process, read from its environment once and never changed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from chassis.oidc_settings import Oidc
from schemas.envelope.calendar import IRAN, Hurried, WorkingTime


class Environment(StrEnum):
    """Where the process runs; production refuses whatever exists only to be shown."""

    DEMONSTRATION = "demonstration"
    PRODUCTION = "production"


class Unset(Exception):
    """A process asked for a setting that its environment does not have; the message names the variable."""


class DemonstrationRefused(Exception):
    """Demonstration accounts were asked for, or found, under production settings."""


def _in_words(wrong: ErrorDetails) -> str:
    sentence = wrong["msg"].removeprefix("Value error, ")
    return sentence if not wrong["loc"] else f"PARVANDEH_{'_'.join(map(str, wrong['loc'])).upper()}: {sentence}"


class Settings(BaseSettings):
    """The settings every process shares: `PARVANDEH_*` in the environment.

    A process is handed its own passwords only, so every secret is optional here and its use raises `Unset` when it is
    missing. Secrets are `SecretStr`: they do not print.
    """

    model_config = SettingsConfigDict(
        env_prefix="PARVANDEH_", frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    database_url: str = "postgresql://127.0.0.1:5432"
    """`postgresql://host:port` of the server only: neither role nor database nor password stands in it."""
    database_prefix: str = Field(default="", pattern=r"^[a-z0-9_]{0,20}$")
    """What each database's name begins with, so that several sets of them can be on one server; tests use it."""
    password: SecretStr = SecretStr("")
    """Password of the process' own PostgreSQL role, which writes its service's database, its keys and its facts."""
    reader_password: SecretStr = SecretStr("")
    """Password of the process' reader role, which only selects from the log."""
    owner_password: SecretStr = SecretStr("")
    """Password of the role `owner`, for `migrate` and `rebuild` alone; no process that serves is given it."""
    kafka: str = "127.0.0.1:9092"
    """`host:port` of Kafka's brokers, separated by commas; not each need be named."""
    kafka_user: str = ""
    """The process' own user at Kafka, over TLS; empty: plain text, which production refuses."""
    kafka_password: SecretStr = SecretStr("")
    """Password of that user (SCRAM-SHA-512)."""
    kafka_ca: Path | None = None
    """PEM file of the authority that signs the brokers' certificates; empty: those that the system trusts."""
    kafka_replicas: int | None = Field(default=None, ge=1)
    """Brokers that hold each fact; empty: 3 in production, 1 on the embedded broker."""
    host: str = "127.0.0.1"
    """The address that the process listens on for HTTP; loopback unless a proxy stands in front."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port that it listens on."""
    environment: Environment = Environment.DEMONSTRATION
    """`demonstration` or `production`; production refuses plain text, demonstration accounts and a hurried clock."""
    keys: Path = Path("var/keys")
    """Directory of the process' own key files (see Keys), readable by this process alone."""
    storage: str = "file:///tmp/parvandeh"
    """Where sealed documents are kept: `file:///directory`, or `s3://bucket/prefix` with the usual `AWS_*` variables."""
    outbox: Path | None = None
    """Directory into which text messages, e-mail and one-time codes are written as files; empty: they are not."""
    smtp: str = ""
    """`host:port` of an SMTP server without sign-in; empty: no e-mail leaves."""
    doors: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    """Public base URL of each service as people reach it, `name=url` separated by commas: `intake=https://...,review=...`."""
    working_day_seconds: float | None = Field(default=None, gt=0)
    """A demonstration's hurried clock: how many seconds a day takes; empty: Iran's calendar, the only choice in production."""
    refill: bool = True
    """Whether gaps are filled from the log; off only in the test that the bus alone carries everything."""
    bus: bool = True
    """Whether facts are read from Kafka; off: from the log alone."""
    agenda_apart: Annotated[tuple[str, ...], NoDecode] = ()
    """Services whose agenda only `python -m services.NAME agenda` carries out, separated by commas; others: `serve` does too."""
    otlp: str = ""
    """Base URL of an OTLP/HTTP collector for traces; empty: spans stay in the process."""
    oidc: Oidc = Field(default_factory=Oidc)
    """`PARVANDEH_OIDC_*`: sign-in by OpenID Connect beside the local accounts."""

    @classmethod
    def from_environment(cls) -> Self:
        """The settings of this process. Raises Unset: one sentence for what is wrong, without any value."""
        try:
            return cls()
        except ValidationError as wrong:
            raise Unset("; ".join(map(_in_words, wrong.errors(include_input=False, include_url=False)))) from None
        except SettingsError as wrong:
            raise Unset(f"{wrong}") from None

    @field_validator("outbox", "kafka_ca", "kafka_replicas", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("agenda_apart", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("doors", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if any(not name or not url for name, _, url in pairs):
            raise ValueError("PARVANDEH_DOORS is name=url, separated by commas")
        return {name: url.rstrip("/") for name, _, url in pairs}

    @model_validator(mode="after")
    def _server_only(self) -> Self:
        parts = urlsplit(self.database_url)
        if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
            raise ValueError("PARVANDEH_DATABASE_URL is postgresql://host:port")
        if parts.username or parts.password or parts.path.strip("/"):
            # A role in the URL would silently win over the role that the code names, and grants would mean nothing.
            raise ValueError("PARVANDEH_DATABASE_URL names the server only, without role, password or database")
        return self

    @model_validator(mode="after")
    def _whole_way_to_kafka(self) -> Self:
        if bool(self.kafka_user) != bool(self.kafka_password.get_secret_value()):
            raise ValueError("PARVANDEH_KAFKA_USER and PARVANDEH_KAFKA_PASSWORD belong together")
        if self.kafka_ca is not None and not self.kafka_user:
            # Else who names only the authority believes the way to be safe, and it is plain text.
            raise ValueError("PARVANDEH_KAFKA_CA is given without PARVANDEH_KAFKA_USER")
        return self

    @model_validator(mode="after")
    def _real_days_in_production(self) -> Self:
        if self.production and self.working_day_seconds is not None:
            raise ValueError("PARVANDEH_WORKING_DAY_SECONDS exists only for demonstration; PARVANDEH_ENVIRONMENT is production")
        return self

    @model_validator(mode="after")
    def _issuer_by_tls(self) -> Self:
        if self.production and self.oidc.plain:
            raise ValueError("PARVANDEH_OIDC_ISSUER must be https; PARVANDEH_ENVIRONMENT is production")
        return self

    @property
    def working_time(self) -> WorkingTime:
        """The calendar by which deadlines are counted and opening hours hold."""
        return IRAN if self.working_day_seconds is None else Hurried(self.working_day_seconds)

    @property
    def production(self) -> bool:
        """Whether these are production settings."""
        return self.environment is Environment.PRODUCTION

    def database(self, name: str) -> str:
        """The database's name on the server, with this installation's prefix."""
        return self.database_prefix + name

    def connection(self, role: str, database: str, password: SecretStr) -> dict[str, Any]:
        """The keyword arguments for `asyncpg.connect` and `asyncpg.create_pool` as `role` in `database`.

        `database` is the plain name (`caselog`, `intake`, ...), the prefix is put here. Raises Unset without a password.
        """
        if not password.get_secret_value():
            raise Unset(f"no password was given to this process for the role {role}")
        server = urlsplit(self.database_url)
        return {
            "host": server.hostname,
            "port": server.port or 5432,
            "user": role,
            "password": password.get_secret_value(),
            "database": self.database(database),
        }

    def as_service(self, role: str, database: str) -> dict[str, Any]:
        """Connection arguments of the process' own role (`PARVANDEH_PASSWORD`)."""
        return self.connection(role, database, self.password)

    def as_reader(self, role: str, database: str = "caselog") -> dict[str, Any]:
        """Connection arguments of the reader role of `role` (`PARVANDEH_READER_PASSWORD`)."""
        return self.connection(f"{role}_reader", database, self.reader_password)

    def as_owner(self, database: str) -> dict[str, Any]:
        """Connection arguments of the owner, for migrations only (`PARVANDEH_OWNER_PASSWORD`)."""
        return self.connection("owner", database, self.owner_password)

    def public_url(self, service: str) -> str:
        """The base URL of a public door. Raises Unset when it was not given."""
        try:
            return self.doors[service]
        except KeyError:
            raise Unset(f"PARVANDEH_DOORS names no door for {service}") from None

    def refuse_demonstration(self, what: str) -> None:
        """Raise DemonstrationRefused under production settings; `what` is named in the sentence."""
        if self.production:
            raise DemonstrationRefused(f"{what} exist only for demonstration; PARVANDEH_ENVIRONMENT is production")

"""The table of settings in docs/operations.md: name, meaning and default from `Settings`, who reads it from the table here."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from chassis.settings import Settings

_ALL: Final = "every process"
_CASES: Final = "services and agendas"
_DOORS: Final = "services, audit"
_BUS: Final = "relay, services"
READ_BY: Final = MappingProxyType(
    {
        "database_url": _ALL,
        "database_prefix": _ALL,
        "password": "every process but the witness",
        "reader_password": _ALL,
        "owner_password": "`migrate` and `rebuild` only",
        "kafka": _BUS,
        "kafka_user": _BUS,
        "kafka_password": _BUS,
        "kafka_ca": _BUS,
        "kafka_replicas": "relay",
        "host": _ALL,
        "port": _ALL,
        "environment": _ALL,
        "keys": "every process but the relay",
        "storage": _CASES,
        "outbox": "intake, notify and its agenda",
        "smtp": "notify and its agenda",
        "doors": f"{_DOORS}, agendas",
        "working_day_seconds": _CASES,
        "refill": "services",
        "bus": "services",
        "agenda_apart": "services",
        "otlp": _ALL,
        "oidc": _DOORS,
    }
)
"""Which processes of deploy/local/processes.py read a setting; `services` are intake, review, inquiry and notify."""
HEAD: Final = ("| variable | meaning | default | read by | secret |", "|---|---|---|---|---|")


class NoMeaning(Exception):
    """A setting has no docstring, or no declared reader; the text names it."""


def table(settings: type[BaseSettings] = Settings) -> str:
    """The table as Markdown. Raises NoMeaning."""
    return "\n".join((*HEAD, *_rows(settings, None)))


def _rows(settings: type[BaseSettings], read_by: str | None) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        who = read_by or READ_BY.get(name)
        if who is None or not field.description:
            raise NoMeaning(
                f"{settings.__name__}.{name} needs a docstring, and a line in READ_BY of deploy/reference/settings.py"
            )
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
            yield from _rows(field.annotation, who)
            continue
        secret = "yes" if field.annotation is SecretStr else ""
        meaning = " ".join(field.description.split()).replace("|", "\\|")
        yield f"| `{prefix}{name.upper()}` | {meaning} | {_default(field)} | {who} | {secret} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is PydanticUndefined or value is None or value in ("", {}, ()):
        return "empty"
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    return f"`{value}`"

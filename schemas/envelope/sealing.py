"""Sealed values: personal data as it may stand in a fact, and the clear value before it is sealed.

A fact is decided with `Clear` values and stored with `Sealed` ones. `Clear` cannot be read from JSON and cannot be written
to it, so that clear personal data cannot reach the log even when somebody forgets to seal (design.md section 6).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import core_schema


class DataClass(StrEnum):
    """A class of personal data: who may open it is decided by class (design.md section 6)."""

    IDENTITY = "identity"
    CONTACT = "contact"
    PROPERTY = "property"
    STAFF = "staff"


class Sealed(BaseModel):
    """An AES-256-GCM box and the id of its key; only the vault maps a key id to a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """The random id of the key in the vault."""
    box: str
    """base64url without padding of nonce (12 bytes), ciphertext of the padded JSON, tag (16 bytes)."""


@dataclass(frozen=True, slots=True)
class Clear:
    """A value to be sealed under the key of (case, person, class) before it is appended.

    The value is kept out of `repr`, so that a traceback or a log line cannot show it.
    """

    data_class: DataClass
    person: str
    value: dict[str, Any] = field(repr=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        # Only the instance itself: pydantic's InstanceOf would build one from JSON, and clear data could come in by the wire.
        return core_schema.is_instance_schema(cls)


def _never_clear(value: Sealed | Clear) -> dict[str, str]:
    if isinstance(value, Clear):
        raise ValueError("a clear value cannot be written: seal it first")
    return {"key": value.key, "box": value.box}


Sealable = Annotated[
    Sealed | Clear,
    PlainSerializer(_never_clear),
    WithJsonSchema(Sealed.model_json_schema()),
]
"""A field of a fact: `Clear` as decided, `Sealed` as stored. Serialising a `Clear` raises ValueError."""

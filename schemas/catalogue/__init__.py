"""The catalogue: what can be asked for, as data (domain.md, The seven request types). One TOML file per request type.

What a city decides for itself (targets, documents, agencies) is here and never in code.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from schemas.envelope.documents import Audience
from schemas.envelope.fact import Value
from schemas.labels import Language

_DIRECTORY: Final = Path(__file__).parent


class Labelled(Value):
    """Something with a key and words in both languages."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    fa: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def label(self, language: Language) -> str:
        """The words in `language`."""
        return self.fa if language == "fa" else self.en


class Stored(StrEnum):
    """Where the answer to a field goes: free text is sealed with the property, only codes and numbers stand in clear."""

    PROPERTY = "property"
    CODED = "coded"


class FormField(Labelled):
    """One question of the form."""

    kind: Literal["text", "number"]
    stored: Stored
    required: bool

    @model_validator(mode="after")
    def _text_is_sealed(self) -> Self:
        if self.kind == "text" and self.stored is not Stored.PROPERTY:
            raise ValueError("free text may hold a name: it is sealed")
        return self


class Paper(Labelled):
    """One document that is asked for, and who may see it."""

    audience: Audience
    required: bool


class Stage(Labelled):
    """One step of the way, and the desk that does it."""

    desk: Literal["intake", "review", "inspection", "inquiry"]


class Outcome(Value):
    """What stands at the end."""

    key: str
    valid_days: int = Field(ge=0)
    """0: without end."""


class RequestType(Labelled):
    """One kind of request."""

    version: int = Field(ge=1)
    target_days: int = Field(ge=1)
    """Working days of the city's clock."""
    blindness_grade: int = Field(ge=1, le=3)
    """1: the reviewer sees nothing of the property; 2: the plate in the stages that need it; 3: the place is visited."""
    decided_in: str
    """The stage whose drawn reviewer decides."""
    agencies: tuple[str, ...]
    outcome: Outcome
    stages: tuple[Stage, ...]
    fields: tuple[FormField, ...]
    documents: tuple[Paper, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for names in ([s.key for s in self.stages], [f.key for f in self.fields], [d.key for d in self.documents]):
            if len(set(names)) != len(names):
                raise ValueError(f"{self.key}: a key stands twice")
        if self.decided_in not in {stage.key for stage in self.stages if stage.desk == "review"}:
            raise ValueError(f"{self.key}: {self.decided_in} is no stage of review")
        return self


class Catalogue(Value):
    """All request types, and the coded values that facts may carry."""

    types: dict[str, RequestType]
    codes: dict[str, dict[str, Labelled]]

    @model_validator(mode="after")
    def _agencies_are_known(self) -> Self:
        for kind in self.types.values():
            if unknown := set(kind.agencies) - set(self.codes["agencies"]):
                raise ValueError(f"{kind.key}: unknown agencies {sorted(unknown)}")
        return self


@cache
def catalogue(directory: Path = _DIRECTORY) -> Catalogue:
    """The catalogue in `directory`. Raises pydantic's ValidationError, with the file's key, when it does not hang together."""
    types = {
        path.stem: RequestType(key=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(directory.glob("*.toml"))
        if path.stem != "codes"
    }
    groups = tomllib.loads((directory / "codes.toml").read_text(encoding="utf-8"))
    codes = {group: {key: Labelled(key=key, **words) for key, words in values.items()} for group, values in groups.items()}
    return Catalogue(types=types, codes=codes)

"""Old versions of facts, lifted to the current one when they are read. Stored bytes are never rewritten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

Lift = Callable[[dict[str, Any]], dict[str, Any]]


def _nobody_was_asked(fields: dict[str, Any]) -> dict[str, Any]:
    """`case.submitted` of version 1: whether the applicant consented to the filing by an office was not asked."""
    return {**fields, "consent": None}


LIFTS: Final[Mapping[tuple[str, int], Lift]] = MappingProxyType({("case.submitted", 1): _nobody_was_asked})
"""(wire name, from version) -> the pure function that gives the next version's fields."""


def upcast(
    type_name: str, version: int, current: int, body: bytes, lifts: Mapping[tuple[str, int], Lift] = LIFTS
) -> dict[str, Any]:
    """The fields of `body` lifted step by step from `version` to `current`; raises ValueError when a step is missing."""
    fields: dict[str, Any] = orjson.loads(body)
    for step in range(version, current):
        lift = lifts.get((type_name, step))
        if lift is None:
            raise ValueError(f"no lift from {type_name}/{step}")
        fields = lift(fields)
    return fields

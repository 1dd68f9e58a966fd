"""How facts are stored and read, as a value: the layers above are given it, and name no fact themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.envelope.fact import Fact


class UnknownFact(Exception):
    """A fact of a type or version that this code does not know; a reader parks its stream."""


class MalformedFact(Exception):
    """Stored bytes that do not fit the fact's model; the message names type and version only, never the content."""


@dataclass(frozen=True, slots=True)
class FactCodec:
    """The way between a closed set of facts and their stored bytes."""

    facts: Mapping[str, type[Fact]]
    """Wire name -> the current model of that fact."""
    encode: Callable[[Fact], bytes]
    """The bytes to store. Raises ValueError when a value is still clear."""
    decode: Callable[[str, int, bytes], Fact]
    """Wire name, version and bytes -> the fact in its current version. Raises UnknownFact, MalformedFact."""

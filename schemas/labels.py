"""The words for a fact, from `labels.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["fa", "en"]


class Unreadable(Exception):
    """A file that a person writes cannot be read; the message names the file and the place."""


@cache
def labels() -> dict[str, dict[str, str]]:
    """Wire name -> language -> words. Raises Unreadable."""
    try:
        return tomllib.loads((Path(__file__).parent / "labels.toml").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"schemas/labels.toml: {error}") from None


def label(type_name: str, language: Language) -> str:
    """The words for a fact; its wire name when this code does not know it, so that a newer fact can still be shown."""
    return labels().get(type_name, {}).get(language, type_name)

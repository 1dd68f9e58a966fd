"""The words for a fact, from `labels.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["fa", "en"]


@cache
def labels() -> dict[str, dict[str, str]]:
    """Wire name -> language -> words."""
    with (Path(__file__).parent / "labels.toml").open("rb") as file:
        return tomllib.load(file)


def label(type_name: str, language: Language) -> str:
    """The words for a fact; its wire name when this code does not know it, so that a newer fact can still be shown."""
    return labels().get(type_name, {}).get(language, type_name)

"""What chassis may not speak of: it carries any service, and permits are the services' matter."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from tests.architecture.tree import Tree

_DATA: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("permit_words.toml").read_text())
ALLOWED: Final = frozenset((path, word) for each in _DATA["allowed"] for path in each["modules"] for word in each["words"])
"""Module and word that something stored or said outside forbids to part."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
"""`OfficeHours`, `office_hours` and `OFFICE_HOURS` have the same two words."""


def _forms(word: str) -> dict[str, str]:
    plurals = {f"{word}s", f"{word}es", f"{word[:-1]}ies"} if word.endswith("y") else {f"{word}s", f"{word}es"}
    return dict.fromkeys({word, *plurals}, word)


_FORMS: Final = {form: word for each in _DATA["words"] for form, word in _forms(each).items()}


def said(line: str) -> list[str]:
    """The words of permits in one line of source: in its names, strings and comments."""
    return [_FORMS[word] for each in _WORD.findall(line) if (word := each.lower()) in _FORMS]


def chassis_knows_no_permit_word(tree: Tree) -> list[str]:
    """No name, string, docstring or comment of chassis speaks of permits; permit_words.toml beside this has the words."""
    return [
        f"{module.path}:{number} says {word}"
        for module in tree.modules
        if module.layer == "chassis"
        for number, line in enumerate(module.lines, 1)
        for word in said(line)
        if (str(module.path), word) not in ALLOWED
    ]

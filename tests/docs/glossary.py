"""The Persian words that pages avoid, read from docs/glossary.md, and where a text of the product uses one."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po

LETTER: Final = r"[\u0620-\u065f\u0670-\u06d3\u200c]"
"""What a Persian word consists of; the zero-width non-joiner is inside a word."""
PERSIAN: Final = re.compile(LETTER)
FROZEN: Final = "consent."
"""Messages to whose exact words somebody consented: they never change (a test of intake holds their hash)."""
PRODUCT: Final = ("chassis", "services", "deploy/local", "deploy/witness")


@dataclass(frozen=True)
class Words:
    """What is said, and what is not."""

    said: tuple[str, ...]
    avoided: tuple[str, ...]

    def wrong(self, text: str) -> list[str]:
        """The avoided words in a text; inside of what is said they are no fault."""
        for good in self.said:
            text = _pattern(good).sub(" ", text)
        return [word for word in self.avoided if _pattern(word).search(text)]


def _pattern(word: str) -> re.Pattern[str]:
    end = "" if word.endswith("…") else f"(?!{LETTER})"
    return re.compile(f"(?<!{LETTER}){re.escape(word.removesuffix('…'))}{end}")


def words(page: str) -> Words:
    """The words of the section `Words on the pages`. Raises ValueError when it has no table."""
    section = page.partition("## Words on the pages")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    if len(rows) < 3:
        raise ValueError("docs/glossary.md has no table of the words on the pages")
    said = sorted({each for row in rows[2:] for each in _each(row[1])}, key=len, reverse=True)
    return Words(tuple(said), tuple(sorted({each for row in rows[2:] for each in _each(row[3])})))


def _each(cell: str) -> list[str]:
    return [part.strip() for part in cell.split("،") if part.strip()]


def broken(root: Path, words: Words) -> list[str]:
    """A line for each avoided word in a Persian text of the product."""
    return [f"{where} says {word}: {text}" for where, text in texts(root) for word in words.wrong(text)]


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Each Persian text that somebody may read: where it is, and the text."""
    for path in sorted(root.rglob("locale/fa.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if not str(message.id).startswith(FROZEN):
                    yield f"{path.relative_to(root)} {message.id!r}", str(message.string)
    for path in sorted((root / "schemas").rglob("*.toml")):
        for text in _strings(tomllib.loads(path.read_text(encoding="utf-8"))):
            yield str(path.relative_to(root)), text
    for folder in PRODUCT:
        yield from _in_code(root, folder)


def _in_code(root: Path, folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and PERSIAN.search(node.value):
                yield f"{path.relative_to(root)}:{node.lineno}", node.value
    for path in sorted((root / folder).rglob("templates/*.html")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if PERSIAN.search(line):
                yield f"{path.relative_to(root)}:{number}", line


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)

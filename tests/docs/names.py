"""What documents name in code letters, and must therefore be there: paths, modules, facts, names in the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from chassis.eventing.kafka.topic import TOPIC
from schemas.facts import FACTS

DOCUMENTS: Final = (
    "README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/design.md", "docs/operations.md", "docs/glossary.md",
    "docs/architecture.md", "docs/promises.md", "docs/tutorial.md",
)  # fmt: skip
"""What is said of today; decisions and the changelog say what was."""
FOLDERS: Final = ("schemas", "caselog", "chassis", "services", "deploy", "tests", "docs")
ENDINGS: Final = ("py", "sql", "toml", "json", "md", "html", "po", "lock", "pem")
CODE: Final = re.compile(r"`([^`\n]+)`")
FENCE: Final = re.compile(r"^```.*?^```\n", re.MULTILINE | re.DOTALL)
PLANNED: Final = "*Planned:*"
PATH: Final = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
DOTTED: Final = re.compile(r"[a-z_]+(?:\.[A-Za-z_]+)+")
FACT: Final = re.compile(r"[a-z]{3,}\.[a-z]{3,}")
IDENTIFIER: Final = re.compile(r"[A-Z][a-z]+\w*|[a-z]+(?:_[a-z]+)+")
TREE: Final = re.compile(r"^( {0,2})(\S+(?: \S+)*?)(?: {2,}.*)?$")


class Source:
    """A tree of source files, asked what is in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def text(self) -> str:
        """All code, queries and catalogues."""
        files = [path for folder in FOLDERS if folder != "docs" for path in sorted((self.root / folder).rglob("*.*"))]
        return "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".sql", ".toml"))

    @cached_property
    def words(self) -> set[str]:
        """Every word of it."""
        return set(re.findall(r"[A-Za-z_]\w*", self.text))

    def has_path(self, path: str) -> bool:
        """A file or folder; one without a folder may be in any, or be made by the code under that name."""
        if path.split("/")[0] in FOLDERS:
            return any(self.root.glob(path.rstrip("/")))
        file = path.rpartition("/")[2]
        there = any(True for folder in FOLDERS for _ in (self.root / folder).rglob(file)) or (self.root / path).exists()
        return there or f'"{file}"' in self.text

    def has_module(self, dotted: str) -> bool:
        """A module or package, or a name that stands in one."""
        path = self.root / dotted.replace(".", "/")
        if path.is_dir() or path.with_suffix(".py").is_file():
            return True
        parent = path.parent.with_suffix(".py") if path.parent.with_suffix(".py").is_file() else path.parent / "__init__.py"
        return parent.is_file() and re.search(rf"\b{path.name}\b", parent.read_text(encoding="utf-8")) is not None


def missing(source: Source, name: str, text: str) -> list[str]:
    """A line for each thing that a document names as built and that is not there."""
    return [f"{name} names {found}, and {why}" for found in sorted(named(text)) if (why := _wrong(source, found))]


def named(text: str) -> set[str]:
    """What a document has in code letters, outside of fenced blocks and of what is planned."""
    paragraphs = re.split(r"\n\s*\n", FENCE.sub("", text))
    return {found for each in paragraphs if not each.lstrip("- ").startswith(PLANNED) for found in CODE.findall(each)}


def missing_in_tree(source: Source, text: str) -> list[str]:
    """A line for each path of the tree in design.md that is not there."""
    block = text.partition("```\n")[2].partition("```")[0]
    return [f"the tree names {path}, and there is no such path" for path in _tree(block) if not (source.root / path).exists()]


def _tree(block: str) -> Iterator[str]:
    top = ""
    for line in block.splitlines():
        if (found := TREE.fullmatch(line)) is None:
            continue
        indent, names = found.group(1), found.group(2).split()
        if not indent:
            top = names[0]
            yield from names
        else:
            yield from (top + name for name in names)


def _wrong(source: Source, found: str) -> str:
    first = re.split(r"[/.]", found)[0]
    if PATH.fullmatch(found) and ((first in FOLDERS and "/" in found) or found.rpartition(".")[2] in ENDINGS):
        return "" if source.has_path(found) else "there is no such path"
    if DOTTED.fullmatch(found):
        if first in FOLDERS:
            return "" if source.has_module(found) else "there is no such module"
        if FACT.fullmatch(found):
            return "" if found in FACTS or found == TOPIC else "there is no such fact"
        return ""
    if IDENTIFIER.fullmatch(found) and found not in source.words:
        return "no code has that name"
    return ""

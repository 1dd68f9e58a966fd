"""Pages with generated parts, each between two marks that name it; the rest of a page is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from deploy.reference import diagrams, settings

DOCS: Final = Path(__file__).parents[2] / "docs"
PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = MappingProxyType(
    {
        "operations.md": MappingProxyType({"settings": settings.table}),
        "architecture.md": MappingProxyType(
            {
                "processes": diagrams.processes,
                "process table": diagrams.process_table,
                "databases": diagrams.databases,
                "flow": diagrams.flow,
                "facts": diagrams.facts,
            }
        ),
    }
)
"""Page -> its generated parts, by the name in their marks."""


class MarkMissing(Exception):
    """A page has lost the marks around a generated part; the text names both."""


def stale(docs: Path = DOCS) -> list[str]:
    """The names of pages whose generated parts differ from the code. Raises MarkMissing."""
    return [name for name in PARTS if (text := (docs / name).read_text(encoding="utf-8")) != _made(name, text)]


def write(docs: Path = DOCS) -> list[str]:
    """Regenerate the parts of stale pages; return the names of these pages. Raises MarkMissing."""
    changed = stale(docs)
    for name in changed:
        path = docs / name
        path.write_text(_made(name, path.read_text(encoding="utf-8")), encoding="utf-8")
    return changed


def _made(name: str, text: str) -> str:
    for part, make in PARTS[name].items():
        begin, end = f"<!-- made: {part}; `python -m deploy.reference write` -->", f"<!-- end of {part} -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise MarkMissing(f"docs/{name} has no marks around its part {part}")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text

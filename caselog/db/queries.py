"""Named SQL: queries stand in .sql files, one after each `-- name: x` line, and are reached by that name."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Final

_NAME: Final = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


class Queries:
    """The queries of one file, as attributes."""

    def __init__(self, queries: dict[str, str]) -> None:
        self._queries = MappingProxyType(queries)

    @classmethod
    def load(cls, path: Path) -> Queries:
        """The queries in `path`. Raises ValueError when a name stands twice or the file names none."""
        parts = _NAME.split(path.read_text(encoding="utf-8"))
        names = parts[1::2]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"{path.name}: query names must be present and unique")
        return cls({name: sql.strip() for name, sql in zip(names, parts[2::2], strict=True)})

    def __getattr__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"no query named {name}") from None

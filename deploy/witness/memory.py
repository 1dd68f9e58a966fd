"""A witness's memory: how far it has followed each shard, and what it has signed. Durable before a signature leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS marks (shard INTEGER PRIMARY KEY, seq INTEGER NOT NULL, link BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS signed (
    stream TEXT NOT NULL, stage TEXT NOT NULL, round INTEGER NOT NULL, link BLOB NOT NULL, PRIMARY KEY (stream, stage, round)
);
"""


class Memory:
    """The witness's own file; the system it watches cannot reach it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")  # a forgotten signature could be given twice
        self._file.executescript(_SCHEMA)

    def mark(self, shard: int) -> tuple[int, bytes]:
        """Seq and link up to which a shard has been followed; (0, zeros) before the first."""
        row = self._file.execute("SELECT seq, link FROM marks WHERE shard = ?", (shard,)).fetchone()
        return (row[0], row[1]) if row else (0, bytes(32))

    def move(self, shard: int, seq: int, link: bytes) -> None:
        """Remember how far a shard was followed."""
        self._file.execute(
            "INSERT INTO marks VALUES (?, ?, ?) ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq, link = excluded.link",
            (shard, seq, link),
        )

    def promise(self, stream: str, stage: str, round_: int, link: bytes) -> bytes:
        """The one commitment of (case, stage, round): `link` when it is the first, else what was promised before."""
        self._file.execute("INSERT INTO signed VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (stream, stage, round_, link))
        query = "SELECT link FROM signed WHERE stream = ? AND stage = ? AND round = ?"
        kept: bytes = self._file.execute(query, (stream, stage, round_)).fetchone()[0]
        return kept

    def close(self) -> None:
        """Close the file."""
        self._file.close()

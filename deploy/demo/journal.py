"""The progress of a demonstration, so that it resumes after Ctrl-C: one line per step, by the number of the request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Known:
    """The known progress of one request of the week."""

    case_id: str
    tracking_code: str
    seconds: float | None = None
    """How long its way took; None while it is under way."""


class Journal:
    """An append-only file; a line that was cut off is the last one and is not counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.known: dict[int, Known] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if "case" in entry:
            self.known[entry["n"]] = Known(entry["case"], entry["code"])
        elif entry["n"] in self.known:
            self.known[entry["n"]].seconds = entry["seconds"]

    def filed(self, number: int, case_id: str, tracking_code: str) -> None:
        """The request was filed."""
        self._write({"n": number, "case": case_id, "code": tracking_code})

    def ended(self, number: int, seconds: float) -> None:
        """The request came to its end."""
        self._write({"n": number, "seconds": seconds})

    def close(self) -> None:
        """The week has ended and is correct: the next run starts a new one."""
        self._path.rename(self._path.with_suffix(".done"))

    def _write(self, entry: dict[str, object]) -> None:
        line = json.dumps(entry)
        with self._path.open("a") as file:
            file.write(line + "\n")
        self._take(line)

"""One line of the table: what was measured, beside its limit or peer in the same run; and the table as text and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Line:
    """A figure over several rounds; `peer` is measured in the same rounds.

    `must` is what the figure must reach, in words: it is printed and never judged, since machines are shared and noisy.
    """

    name: str
    values: tuple[float, ...]
    peer_name: str
    peer: tuple[float, ...]
    unit: str = "/s"
    must: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float:
        """The figure divided by its peer: round by round where both have as many rounds, so that drift meets both alike."""
        if len(self.values) == len(self.peer):
            return statistics.median(ours / theirs for ours, theirs in zip(self.values, self.peer, strict=True))
        return self.median / statistics.median(self.peer)

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed."""
        return (
            self.name,
            f"{figure(self.median)} {self.unit}",
            spread(self.values),
            self.peer_name,
            figure(statistics.median(self.peer)),
            spread(self.peer),
            f"{self.ratio:.2f}",
            self.must,
        )

    def as_json(self) -> dict[str, Any]:
        """The line for a machine."""
        return {
            "name": self.name, "unit": self.unit, "values": self.values, "median": self.median, "peer": self.peer_name,
            "peer_values": self.peer, "peer_median": statistics.median(self.peer), "ratio": self.ratio, "must": self.must,
        }  # fmt: skip


def figure(value: float) -> str:
    """A figure as a person reads it: four digits that count, no exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def spread(values: Sequence[float]) -> str:
    """The least and the greatest of several rounds."""
    return f"{figure(min(values))} to {figure(max(values))}" if len(values) > 1 else "one round"


def table(lines: Sequence[Line], title: str) -> Table:
    """All lines as one table."""
    made = Table("figure", "median", "spread", "beside", "its median", "its spread", "ratio", "must reach", title=title)
    for line in lines:
        made.add_row(*line.cells())
    return made

"""One line of the table: what was measured, beside its limit or peer in the same run."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """A figure over several rounds; `peer` is measured in the same rounds."""

    name: str
    values: tuple[float, ...]
    peer_name: str
    peer: tuple[float, ...]
    unit: str = "/s"

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float:
        """The figure divided by its peer."""
        return self.median / statistics.median(self.peer)

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed."""
        spread = f"{min(self.values):,.4g} to {max(self.values):,.4g}"
        return (
            self.name,
            f"{self.median:,.4g} {self.unit}",
            spread,
            self.peer_name,
            f"{statistics.median(self.peer):,.4g}",
            f"{self.ratio:.2f}",
        )

    def as_json(self) -> dict[str, Any]:
        """The line for a machine."""
        return {
            "name": self.name, "unit": self.unit, "values": self.values, "peer": self.peer_name, "peer_values": self.peer,
            "ratio": self.ratio,
        }  # fmt: skip

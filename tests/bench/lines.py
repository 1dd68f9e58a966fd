"""One line of the table: what was measured, beside its limit or peer in the same run; and the table as text."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from tests.bench.samples import NoFigure, Sample, checked

NO_FIGURE = "no figure"


@dataclass(frozen=True)
class Aim:
    """What a figure is meant to reach. It is printed and never judged: machines are shared and noisy."""

    figure: float | None = None
    ratio: float | None = None
    """To the peer of the same run."""
    at_most: bool = False
    """For times: the less the better."""

    def words(self, unit: str) -> str:
        """As it stands in the table."""
        sign = "<=" if self.at_most else ">="
        parts = []
        if self.figure is not None:
            parts.append(f"{sign} {figure(self.figure)} {unit}")
        if self.ratio is not None:
            parts.append(f"{sign} {self.ratio:g}x")
        return " and ".join(parts)

    def verdict(self, value: float | None, ratio: float | None) -> str:
        """Each part of the aim with "reached" or "not reached", for the figure and the ratio of one run."""
        sign = "<=" if self.at_most else ">="
        parts = []
        if self.figure is not None:
            parts.append(f"{sign} {figure(self.figure)} {self._said(value, self.figure)}")
        if self.ratio is not None:
            parts.append(f"{sign} {self.ratio:g}x {self._said(ratio, self.ratio)}")
        return "; ".join(parts)

    def _said(self, found: float | None, wanted: float) -> str:
        if found is None:
            return "not measured"
        reached = found <= wanted if self.at_most else found >= wanted
        return "reached" if reached else "not reached"


@dataclass(frozen=True)
class Line:
    """A figure over several rounds; `peer` is measured in the same rounds."""

    key: str
    """By which the line is found again in other runs, whatever its name becomes."""
    name: str
    values: tuple[Sample, ...]
    peer_name: str
    peer: tuple[Sample, ...]
    unit: str = "/s"
    aim: Aim = Aim()

    @property
    def median(self) -> float | None:
        """None when no round gave a figure."""
        return _median(self.values)

    @property
    def peer_median(self) -> float | None:
        """None when no round of the peer gave a figure."""
        return _median(self.peer)

    @property
    def ratio(self) -> float | None:
        """The figure divided by its peer: round by round where both have as many rounds, so that drift meets both alike.

        A round in which one of the two gave nothing does not count; None when none is left.
        """
        if len(self.values) == len(self.peer):
            pairs = zip(map(number, self.values), map(number, self.peer), strict=True)
            ratios = [ours / theirs for ours, theirs in pairs if ours is not None and theirs is not None]
            return statistics.median(ratios) if ratios else None
        if self.median is None or self.peer_median is None:
            return None
        return self.median / self.peer_median

    @property
    def missing(self) -> tuple[str, ...]:
        """Why there is no figure, of our side and then of the peer; each reason once."""
        return tuple(dict.fromkeys(_reasons(self.values, self.name) + _reasons(self.peer, self.peer_name)))

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed."""
        return (
            self.name,
            NO_FIGURE if self.median is None else f"{figure(self.median)} {self.unit}",
            spread(numbers(self.values)),
            self.peer_name,
            NO_FIGURE if self.peer_median is None else figure(self.peer_median),
            spread(numbers(self.peer)),
            "-" if self.ratio is None else f"{self.ratio:.2f}",
            self.aim.words(self.unit),
        )


def number(sample: Sample) -> float | None:
    """The figure of a round, or None: also a zero, which is no measurement and by which nothing is divided."""
    good = sample if isinstance(sample, NoFigure) else checked(sample, "")
    return None if isinstance(good, NoFigure) else good


def numbers(samples: Sequence[Sample]) -> tuple[float, ...]:
    """The figures of the rounds that gave one."""
    return tuple(value for value in map(number, samples) if value is not None)


def _median(samples: Sequence[Sample]) -> float | None:
    found = numbers(samples)
    return statistics.median(found) if found else None


def _reasons(samples: Sequence[Sample], who: str) -> list[str]:
    all_checked = (sample if isinstance(sample, NoFigure) else checked(sample, who) for sample in samples)
    return [sample.why for sample in all_checked if isinstance(sample, NoFigure)]


def figure(value: float) -> str:
    """A figure as a person reads it: four digits that count, no exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def spread(values: Sequence[float]) -> str:
    """The least and the greatest of several rounds."""
    if not values:
        return "-"
    return f"{figure(min(values))} to {figure(max(values))}" if len(values) > 1 else "one round"


def table(lines: Sequence[Line], title: str) -> Table:
    """All lines as one table; below it, in words, whatever gave no figure."""
    missing = dict.fromkeys(f"{line.name}: {why}" for line in lines for why in line.missing)
    made = Table("figure", "median", "spread", "beside", "its median", "its spread", "ratio", "aim", title=title)
    made.caption = "\n".join(f"no figure: {each}" for each in missing) or None
    made.caption_justify = "left"
    for line in lines:
        made.add_row(*line.cells())
    return made

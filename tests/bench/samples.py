"""What one round of a line gives: a figure, or in words why there is none; and how the bench's own child processes answer.

A peer that printed nothing once ended the whole bench with a ValueError. Whatever is divided by, parsed or indexed goes
through here, so that one silent side costs its own cell of the table and nothing else.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

T = TypeVar("T")
NOTHING: Final = "nothing"
"""The field in which a child says why it has no answer."""


class NothingMeasured(Exception):
    """A side of a line has no figure; the text says why, as a person reads it in the table."""


@dataclass(frozen=True)
class NoFigure:
    """A round without a figure, and why."""

    why: str


Sample = float | NoFigure


def checked(value: float, who: str) -> Sample:
    """`value`, unless it is no measurement: a rate or a time of zero, or what is no finite number."""
    if math.isfinite(value) and value > 0:
        return value
    return NoFigure(f"{who}: nothing was done" if value == 0 else f"{who}: {value} is no measurement")


def rate(done: float, seconds: float, who: str) -> Sample:
    """`done` for each of `seconds`."""
    return checked(done / seconds if seconds > 0 else 0.0, who)


def median(values: Sequence[float], who: str) -> Sample:
    """The middle of `values`."""
    return checked(statistics.median(values), who) if values else NoFigure(f"{who}: nothing was done")


def percentile99(values: Sequence[float], who: str) -> Sample:
    """The 99th percentile of `values`; two are the least that have one."""
    if len(values) < 2:
        return NoFigure(f"{who}: {len(values)} done, too few for a percentile")
    return checked(statistics.quantiles(values, n=100)[98], who)


def each(count: int, done: float, scale: float) -> str:
    """What one of `count` took of `done`, times `scale`, for a note; in words where nothing was done."""
    return f"{done / count * scale:.2f}" if count else "none was done"


async def attempted(measuring: Awaitable[T], expected: tuple[type[Exception], ...], nothing: Callable[[NoFigure], T]) -> T:
    """Await one round. NothingMeasured and the `expected` errors become `nothing` of their words; a bug still raises."""
    expected = (NothingMeasured, *expected)
    try:
        return await measuring
    except expected as error:
        return nothing(NoFigure(sentence(error)))
    except ExceptionGroup as group:
        if (found := first_of(group, expected)) is None:
            raise
        return nothing(NoFigure(sentence(found)))


def first_of(group: ExceptionGroup[Exception], expected: tuple[type[Exception], ...]) -> Exception | None:
    """The first error of a group of tasks, when all of them are `expected`; None when there is a bug among them."""
    found, rest = group.split(expected)
    if found is None or rest is not None:
        return None
    error: Exception = found
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def sentence(error: Exception) -> str:
    """The first line of an error's text, with its kind where the text is not meant for people."""
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, NothingMeasured):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def answer(work: Callable[[], Any]) -> None:
    """In a child process: do the work, and print its result, or why there is none, as one JSON document on stdout."""
    try:
        said = work()
    except NothingMeasured as error:
        said = {NOTHING: str(error)}
    sys.stdout.buffer.write(orjson.dumps(said))
    sys.stdout.buffer.flush()


def understood(out: bytes, code: int | None, who: str) -> Any:
    """What a child answered. Raises NothingMeasured when it failed, said nothing or half, or says itself why it has nothing."""
    if code:
        raise NothingMeasured(f"{who} ended with code {code}; its lines above say why")
    if not out.strip():
        raise NothingMeasured(f"{who} said nothing")
    try:
        said = orjson.loads(out)
    except orjson.JSONDecodeError:
        raise NothingMeasured(f"the answer of {who} is cut off after {len(out)} bytes") from None
    if isinstance(said, Mapping) and NOTHING in said:
        raise NothingMeasured(f"{who}: {said[NOTHING]}")
    return said

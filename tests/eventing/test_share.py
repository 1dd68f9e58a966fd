"""The share applied from the bus is counted from the start on, and rings below 99 %."""

from __future__ import annotations

from caselog.read import Head
from chassis.eventing.processors.bus_share import AGAIN_SECONDS, ENOUGH, WINDOW_SECONDS, BusShare
from chassis.eventing.processors.processor import Source


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def share(clock: Clock) -> BusShare:
    made = BusShare("rows", clock)
    made.begin({0: Head(100, b"", 1)})
    return made


def test_catching_up_to_where_the_log_stood_at_the_start_is_not_counted() -> None:
    made = share(Clock())
    made.count(Source.LOG, 0, 100, 100)
    assert made.value() is None
    made.count(Source.LOG, 0, 110, 50)  # ten of these fifty are new
    made.count(Source.BUS, 0, 110 + ENOUGH, ENOUGH)
    assert made.value() == ENOUGH / (ENOUGH + 10)


def test_nothing_is_said_of_a_handful() -> None:
    made = share(Clock())
    made.count(Source.LOG, 0, 101, 1)
    assert made.value() is None
    assert not made.check()


def test_it_rings_below_the_limit_once_a_minute_and_forgets_what_is_old() -> None:
    clock = Clock()
    made = share(clock)
    made.count(Source.BUS, 0, 100 + 98 * ENOUGH, 98 * ENOUGH)
    made.count(Source.LOG, 0, 100 + 99 * ENOUGH, ENOUGH)
    made.count(Source.BUS, 0, 100 + 100 * ENOUGH, ENOUGH)
    assert not made.check()  # exactly 99 %
    made.count(Source.LOG, 0, 101 + 100 * ENOUGH, 1)
    assert made.check()
    assert not made.check()
    clock.now = AGAIN_SECONDS
    assert made.check()
    clock.now = WINDOW_SECONDS + 1
    assert made.value() is None

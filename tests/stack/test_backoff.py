"""What ends by itself is started again: later each time, and as at first when it had run steadily."""

from __future__ import annotations

from deploy.local.backoff import STEADY_SECONDS, WAITS, BackOff


def test_each_failure_in_a_row_waits_longer_up_to_the_longest() -> None:
    back_off = BackOff(began=0.0)
    assert [back_off.ended(1.0) for _ in range(7)] == [*WAITS, WAITS[-1], WAITS[-1]]


def test_a_hundred_ends_that_each_follow_a_steady_run_are_never_too_many() -> None:
    back_off = BackOff(began=0.0)
    for _ in range(100):
        assert back_off.ended(back_off.began + STEADY_SECONDS + 1) == WAITS[0]
        assert back_off.failures == 1
        back_off.began += STEADY_SECONDS + 2

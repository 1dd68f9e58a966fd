"""Working days and clocks: what counts against whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from schemas.clocks import Holder, fold
from schemas.contract_files import HERE
from schemas.envelope.calendar import HURRIED, TEHRAN, BeyondCalendar, Hurried, current
from schemas.facts import AnyFact, decode, inquiry, intake, review

CALENDAR = current()
START = datetime(2025, 10, 14, 6, 0, tzinfo=UTC)


def sample(name: str, **changes: object) -> AnyFact:
    body = (HERE / "samples" / f"{name}.v1.json").read_bytes()
    return decode(name, 1, body).model_copy(update=changes)


def test_friday_thursday_and_nowruz_are_no_working_days() -> None:
    assert CALENDAR.is_working_day(date(2025, 10, 14))  # 22 Mehr 1404, a Tuesday (domain.md)
    assert not CALENDAR.is_working_day(date(2025, 10, 16))  # Thursday
    assert not CALENDAR.is_working_day(date(2025, 10, 17))  # Friday
    assert not any(CALENDAR.is_working_day(date(2026, 3, day)) for day in (21, 22, 23, 24))  # Nowruz 1405


def test_a_deadline_over_a_weekend_and_over_nowruz() -> None:
    tuesday = datetime(2025, 10, 14, 12, 0, tzinfo=TEHRAN)
    assert CALENDAR.deadline(tuesday, 3).due_at.astimezone(TEHRAN) == datetime(2025, 10, 19, 14, 30, tzinfo=TEHRAN)
    before_nowruz = datetime(2026, 3, 18, 9, 0, tzinfo=TEHRAN)
    assert CALENDAR.deadline(before_nowruz, 1).due_at.astimezone(TEHRAN).date() == date(2026, 3, 25)


def test_a_request_after_midnight_in_tehran_belongs_to_the_new_day() -> None:
    late = datetime(2025, 10, 13, 20, 45, tzinfo=UTC)  # 00:15 on the 14th in Tehran
    assert CALENDAR.deadline(late, 1).due_at.astimezone(TEHRAN).date() == date(2025, 10, 15)


def test_half_of_thursday_is_working_time() -> None:
    assert CALENDAR.is_working_time(datetime(2025, 10, 16, 12, 29, tzinfo=TEHRAN))
    assert not CALENDAR.is_working_time(datetime(2025, 10, 16, 12, 30, tzinfo=TEHRAN))
    assert not CALENDAR.is_working_time(datetime(2025, 10, 17, 10, 0, tzinfo=TEHRAN))
    assert not CALENDAR.is_working_time(datetime(2026, 3, 21, 10, 0, tzinfo=TEHRAN))


def test_outside_the_known_years_nothing_is_guessed() -> None:
    with pytest.raises(BeyondCalendar):
        CALENDAR.deadline(datetime(2028, 3, 18, 9, 0, tzinfo=TEHRAN), 5)
    with pytest.raises(ValueError, match="at least one"):
        CALENDAR.deadline(START, 0)


def test_a_hurried_day_has_its_office_hours_and_its_night() -> None:
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    hour = timedelta(seconds=1)
    clock = Hurried((24 * hour).total_seconds())
    opened = [hour_of for hour_of in range(48) if clock.is_working_time(midnight + hour_of * hour)]
    assert opened == [*range(8, 15), *range(24 + 8, 24 + 15)]  # 07:30 to 14:30, every day, Friday too
    assert not clock.is_working_time(midnight + 7.4 * hour)
    assert clock.is_working_time(midnight + 7.6 * hour)
    assert not clock.is_working_time(midnight + 14.6 * hour)


def test_hurried_days_pass_at_night_and_on_holidays_too() -> None:
    deadline = Hurried(0.5).deadline(START, 15)
    assert (deadline.due_at - START, deadline.calendar_version) == (timedelta(seconds=7.5), HURRIED)
    with pytest.raises(ValueError, match="at least one"):
        Hurried(1).deadline(START, 0)


@given(st.integers(0, 700), st.integers(1, 20), st.integers(1, 20))
def test_deadlines_add_up(days: int, first: int, second: int) -> None:
    opened = START + timedelta(days=days)
    assert (
        CALENDAR.deadline(CALENDAR.deadline(opened, first).due_at, second).due_at
        == CALENDAR.deadline(opened, first + second).due_at
    )


def test_whose_clock_runs_through_a_whole_case() -> None:
    steps: list[tuple[AnyFact, Holder | None]] = [
        (sample("case.submitted"), Holder.CITY),
        (sample("correction.requested"), Holder.CITIZEN),
        (sample("inquiry.requested"), Holder.CITIZEN),
        (sample("inquiry.opened"), Holder.CITIZEN),
        (sample("correction.answered"), Holder.AGENCY),
        (sample("case.suspended"), Holder.SUSPENDED),
        (sample("inquiry.answered"), Holder.SUSPENDED),
        (sample("case.resumed"), Holder.CITY),
        (sample("inquiry.opened", inquiry_id="q2", blocking=False), Holder.CITY),
        (sample("case.approved"), None),
        (sample("certificate.issued"), None),
    ]
    facts = [(fact, START + timedelta(hours=hour)) for hour, (fact, _) in enumerate(steps)]
    assert [fold(facts[: n + 1]).holder for n in range(len(steps))] == [holder for _, holder in steps]
    totals = fold(facts).at(START + timedelta(days=9))
    assert {holder: time / timedelta(hours=1) for holder, time in totals.items()} == {
        Holder.CITY: 3,
        Holder.CITIZEN: 3,
        Holder.AGENCY: 1,
        Holder.SUSPENDED: 2,
    }


_FACTS = st.sampled_from(
    [
        sample("correction.requested"),
        sample("correction.answered"),
        sample("identity.questioned"),
        sample("identity.answered"),
        sample("inquiry.opened"),
        sample("inquiry.answered"),
        sample("inquiry.withdrawn"),
        sample("case.suspended"),
        sample("case.resumed"),
        sample("message.sent"),
    ]
)


@given(st.lists(st.tuples(_FACTS, st.integers(0, 10_000)), max_size=30))
def test_every_moment_of_a_case_belongs_to_exactly_one_holder(later: list[tuple[AnyFact, int]]) -> None:
    at = START
    facts = [(sample("case.submitted"), at)]
    for fact, seconds in later:
        at += timedelta(seconds=seconds)
        facts.append((fact, at))
    end = at + timedelta(seconds=77)
    assert sum(fold(facts).at(end).values(), timedelta()) == end - START
    closed = [*facts, (sample("case.withdrawn"), end)]
    assert sum(fold(closed).at(end + timedelta(days=1)).values(), timedelta()) == end - START


def test_the_facts_of_the_clock_are_those_of_the_design() -> None:
    opened = sample("inquiry.opened")
    assert isinstance(opened, inquiry.InquiryOpened)
    assert opened.blocking
    assert isinstance(sample("identity.questioned"), intake.IdentityQuestioned)
    assert isinstance(sample("case.suspended"), review.CaseSuspended)


def test_the_calendar_has_the_holidays_that_the_library_knows() -> None:
    # A corrected lunar date comes with a new version of the library, and then wants a new version of the calendar.
    known = country_holidays("IR", years=range(CALENDAR.first_day.year, CALENDAR.last_day.year + 1), language="fa_IR")
    within = {day: name for day, name in known.items() if CALENDAR.first_day <= day <= CALENDAR.last_day}
    assert dict(CALENDAR.holidays) == {day: name for day, name in within.items() if day.isoweekday() in CALENDAR.weekly}

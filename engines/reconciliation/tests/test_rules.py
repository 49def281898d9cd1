"""What is missing and what is due next, by the figures alone."""

from datetime import UTC, datetime, timedelta

import pytest

from engines.logging.arrival_hours import HOUR
from engines.reconciliation.models import HourCheck, Loss, loss_of
from engines.reconciliation.rules import (
    AGAIN_AFTER,
    APART,
    Figures,
    check,
    due,
    end_of,
    kept,
    suspects,
    window_of,
)

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=30, seconds=40)


def figures(accepted: int, stored: int, hour: int = 0, refused: int = 0, acknowledged: int = 0) -> Figures:
    start = NOON + hour * HOUR
    return Figures(start, end_of(start, NOW), accepted, stored, refused, acknowledged)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (figures(10, 10), 0),
        (figures(10, 7), 3),
        (figures(10, 12), 0),
        (figures(10, 7, refused=1), 2),
        (figures(10, 7, refused=1, acknowledged=2), 0),
        (figures(10, 7, acknowledged=9), 0),
    ],
)
def test_what_is_nowhere(found: Figures, expected: int) -> None:
    assert suspects([found], 0, None) == {NOON: expected}


def test_what_waits_is_not_missing_in_the_hours_in_which_it_can_wait() -> None:
    found = [figures(10, 5, hour=-2), figures(10, 4, hour=-1), figures(10, 8)]
    hours = NOON - 2 * HOUR, NOON - HOUR, NOON
    later = NOON - HOUR + timedelta(minutes=1)
    assert suspects(found, 7, later) == dict(zip(hours, (5, 1, 0), strict=True))
    assert suspects(found, 99, later) == dict(zip(hours, (5, 0, 0), strict=True))
    assert suspects(found, 99, None) == dict.fromkeys(hours, 0)
    early = NOON - HOUR + timedelta(seconds=1)
    assert suspects(found, 99, early)[hours[0]] == 0, "it may be of the last second of the hour before"


def test_only_minutes_that_are_over_are_compared() -> None:
    assert end_of(NOON, NOW) == NOON + timedelta(minutes=30)
    assert end_of(NOON, NOON + timedelta(minutes=30, seconds=14)) == NOON + timedelta(minutes=29)
    assert end_of(NOON, NOON + timedelta(seconds=20)) == NOON
    assert end_of(NOON - HOUR, NOON + timedelta(seconds=14)) == NOON - timedelta(minutes=1)
    assert end_of(NOON - HOUR, NOW) == NOON


def test_two_comparisons_some_seconds_apart_must_agree() -> None:
    first = check(figures(10, 7), 3, None, NOW)
    assert (first.suspected, first.missing) == (3, 0)
    too_soon = check(figures(10, 7), 3, first, NOW + APART / 2)
    assert (too_soon.suspected, too_soon.missing, too_soon.suspected_at) == (3, 0, NOW)
    second = check(figures(10, 7), 3, too_soon, NOW + APART)
    assert (second.suspected, second.missing) == (3, 3)
    more = check(figures(20, 8), 12, second, NOW + 3 * APART)
    assert (more.suspected, more.missing) == (12, 3), "what is new must be found again, too"
    less = check(figures(20, 19), 1, more, NOW + 3.1 * APART)
    assert (less.suspected, less.missing) == (1, 1)
    assert check(figures(20, 20), 0, less, NOW + 5 * APART).missing == 0


def agreed(hour: int, checked_at: datetime, **values: int) -> HourCheck:
    start = NOON + hour * HOUR
    return HourCheck(start=start, until=start + HOUR, accepted=1, stored=1, checked_at=checked_at, **values)


def test_everything_is_due_at_first_then_what_is_open_and_now_and_then_a_closed_hour() -> None:
    assert due({}, NOW) == window_of(NOW)
    assert len(window_of(NOW)) == 25
    fresh = {start: agreed(round((start - NOON) / HOUR), NOW) for start in window_of(NOW)[:-1]}
    assert due(fresh, NOW) == [NOON - HOUR, NOON]
    later = NOW + AGAIN_AFTER
    fresh[NOON - 9 * HOUR] = agreed(-9, NOW - timedelta(seconds=1))
    assert due(fresh, later) == [NOON - 24 * HOUR, NOON - 9 * HOUR, NOON - HOUR, NOON], "two older ones"
    fresh[NOON - 24 * HOUR] = fresh[NOON - 24 * HOUR].model_copy(update={"accepted": 0})
    assert due(fresh, later)[:2] == [NOON - 23 * HOUR, NOON - 9 * HOUR], "those with events first"


def test_an_hour_that_lacks_events_is_kept_and_due_until_it_does_not() -> None:
    old, gone = agreed(-40, NOW, suspected=2, missing=2), agreed(-41, NOW)
    checks = {one.start: one for one in (old, gone)}
    assert due(checks, NOW)[0] == old.start
    assert kept(checks, NOW) == [old]


def test_a_loss_says_how_many_and_between_which_times() -> None:
    assert loss_of({}) is None
    assert str(loss_of({NOON: 12})) == "acknowledged but missing: 12, between 2026-01-15 12:00 and 13:00 UTC"
    both = loss_of({NOON: 1200, NOON + 12 * HOUR: 1})
    assert str(both) == "acknowledged but missing: 1,201, between 2026-01-15 12:00 and 2026-01-16 01:00 UTC"
    assert isinstance(both, Loss)

"""Freshness: the truth table of one section, and the aggregate of all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engines.bossman.freshness import (
    GRACE,
    LIMITS,
    READING_TTL,
    Failure,
    Freshness,
    Limits,
    Reading,
    aggregate,
    evaluate,
)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
LIMITED = Limits(warn_after_seconds=60, error_after_seconds=3_600)
UNLIMITED = Limits()


def verdict(reading: Reading, limits: Limits = LIMITED) -> tuple[str, str]:
    record = evaluate(reading, limits, NOW)
    return record.status, record.reason


def aged(seconds: float) -> Reading:
    """A reading of now whose newest record is this old."""
    return Reading("memory", NOW, NOW - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, ("fresh", "within_slo")),
        (59.999, ("fresh", "within_slo")),
        (60, ("fresh", "within_slo")),
        (60.0004, ("fresh", "within_slo")),
        (60.001, ("warn", "over_warn")),
        (3_599.999, ("warn", "over_warn")),
        (3_600, ("warn", "over_warn")),
        (3_600.001, ("stale", "over_error")),
        (10**9, ("stale", "over_error")),
        (-0.001, ("fresh", "within_slo")),
        (-5, ("fresh", "within_slo")),
        (-5.001, ("unknown", "future_timestamp")),
        (-86_400, ("unknown", "future_timestamp")),
    ],
)
def test_the_age_decides_with_limits_inclusive(age: float, expected: tuple[str, str]) -> None:
    assert verdict(aged(age)) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, ("fresh", "within_slo")),
        (10**9, ("fresh", "within_slo")),
        (-5.001, ("unknown", "future_timestamp")),
    ],
)
def test_a_section_without_limits_never_goes_stale(age: float, expected: tuple[str, str]) -> None:
    assert verdict(aged(age), UNLIMITED) == expected


SKEWED = ("unknown", "clock_skew")


@pytest.mark.parametrize(
    ("reading", "limits", "expected"),
    [
        (aged(0), LIMITED, ("fresh", "within_slo")),
        (aged(30), LIMITED, ("fresh", "within_slo")),
        (aged(31), LIMITED, SKEWED),
        (aged(-31), LIMITED, SKEWED),
        (aged(-86_400), LIMITED, ("unknown", "future_timestamp")),
        (aged(3_571), LIMITED, SKEWED),
        (aged(3_601), LIMITED, ("stale", "over_error")),
        (aged(31), UNLIMITED, ("fresh", "within_slo")),
        (Reading("memory", NOW), LIMITED, ("never", "no_records")),
        (Reading("memory", NOW, failure="read_error"), LIMITED, ("unknown", "read_error")),
        (Reading("memory", NOW - timedelta(seconds=31), NOW), LIMITED, ("unknown", "expired_reading")),
    ],
)
def test_clocks_apart_make_unknown_what_hangs_on_them(
    reading: Reading, limits: Limits, expected: tuple[str, str]
) -> None:
    record = evaluate(reading, limits, NOW, timedelta(seconds=30))
    assert (record.status, record.reason) == expected


@pytest.mark.parametrize("reading", [aged(0), aged(10**9), aged(-(10**9)), Reading("memory", NOW)], ids=str)
@pytest.mark.parametrize("limits", [LIMITED, UNLIMITED], ids=["limited", "unlimited"])
def test_what_is_made_by_the_clock_is_unknown_while_clocks_are_apart(
    reading: Reading, limits: Limits
) -> None:
    record = evaluate(reading, limits, NOW, timedelta(seconds=1.5), by_clock=True)
    assert (record.status, record.reason) == SKEWED
    assert evaluate(reading, limits, NOW, by_clock=True) == evaluate(reading, limits, NOW)


@pytest.mark.parametrize("limits", [LIMITED, UNLIMITED], ids=["limited", "unlimited"])
def test_read_and_empty_is_never(limits: Limits) -> None:
    assert verdict(Reading("memory", NOW), limits) == ("never", "no_records")


@pytest.mark.parametrize("failure", ["read_timeout", "read_error", "read_denied"])
@pytest.mark.parametrize("last", [None, NOW, NOW + timedelta(days=1), NOW - timedelta(days=9)], ids=str)
def test_a_failed_read_is_unknown_whatever_was_known(failure: Failure, last: datetime | None) -> None:
    assert verdict(Reading("memory", NOW, last, failure)) == ("unknown", failure)


@pytest.mark.parametrize("last", [None, NOW - timedelta(seconds=31), NOW - timedelta(days=9)], ids=str)
def test_an_expired_reading_is_unknown_and_its_value_still_shown(last: datetime | None) -> None:
    at_limit = Reading("memory", NOW - READING_TTL, last)
    expired = Reading("memory", NOW - READING_TTL - timedelta(milliseconds=1), last)
    assert verdict(at_limit)[1] != "expired_reading"
    record = evaluate(expired, LIMITED, NOW)
    assert (record.status, record.reason) == ("unknown", "expired_reading")
    assert record.last_updated_at == last


def test_a_failure_counts_before_an_expired_reading() -> None:
    assert verdict(Reading("memory", NOW - timedelta(days=1), None, "read_denied"))[1] == "read_denied"


@pytest.mark.parametrize(
    ("reading", "age"),
    [(aged(90.5), 90.5), (aged(0), 0.0), (aged(-3), 0.0), (aged(-90), 0.0), (Reading("memory", NOW), None)],
    ids=["old", "now", "ahead", "future", "empty"],
)
def test_the_age_is_computed_at_evaluation_and_clamped_at_zero(reading: Reading, age: float | None) -> None:
    assert evaluate(reading, LIMITED, NOW).age_seconds == age


def test_a_record_holds_exactly_these_keys() -> None:
    reading = Reading("firestore", NOW - timedelta(seconds=1), NOW - timedelta(seconds=90))
    assert evaluate(reading, LIMITED, NOW).model_dump() == {
        "status": "warn",
        "reason": "over_warn",
        "last_updated_at": NOW - timedelta(seconds=90),
        "observed_at": NOW - timedelta(seconds=1),
        "evaluated_at": NOW,
        "age_seconds": 90.0,
        "warn_after_seconds": 60,
        "error_after_seconds": 3_600,
        "source": "firestore",
    }


@pytest.mark.parametrize(
    ("warn", "error"),
    [(60, 60), (61, 60), (0, 0), (None, 60), (60, None)],
)
def test_limits_without_warn_below_error_are_refused(warn: int | None, error: int | None) -> None:
    with pytest.raises(ValueError, match=r"^warn_after_seconds and error_after_seconds come together"):
        Limits(warn, error)


def test_the_limits_of_the_sections() -> None:
    expected = {
        "events": Limits(3_600, 86_400),
        "temperature": Limits(86_400, 259_200),
        "budget": Limits(86_400, 259_200),
        "kpi": Limits(None, None),
        "strategy_locks": Limits(None, None),
        "firearms": Limits(None, None),
        "analytics": Limits(3_600, 86_400),
        "training_prefs": Limits(None, None),
        "kill_switch": Limits(None, None),
    }
    assert expected == LIMITS


def record(status: Any, limits: Limits = LIMITED) -> Freshness:
    """A record of ``status``, as the evaluation makes it."""
    readings = {
        "fresh": aged(0),
        "warn": aged(61),
        "stale": aged(9_999),
        "never": Reading("memory", NOW),
        "unknown": Reading("memory", NOW, None, "read_error"),
    }
    made = evaluate(readings[status], limits, NOW)
    assert made.status == status
    return made


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "unknown"),
        (["fresh"], "fresh"),
        (["fresh", "fresh"], "fresh"),
        (["fresh", "warn"], "warn"),
        (["warn", "unknown", "fresh"], "unknown"),
        (["fresh", "unknown"], "unknown"),
        (["unknown", "stale", "warn", "fresh"], "stale"),
        (["stale", "fresh"], "stale"),
    ],
)
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=400), None], ids=["new", "old", "unknown"])
def test_the_aggregate_is_the_worst(statuses: list[str], expected: str, age: timedelta | None) -> None:
    assert aggregate([record(status) for status in statuses], age) == expected
    assert aggregate([record(status) for status in reversed(statuses)], age) == expected


YOUNG = GRACE - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("others", "age", "expected"),
    [
        ([], timedelta(0), "unknown"),
        ([], YOUNG, "unknown"),
        (["fresh"], YOUNG, "fresh"),
        (["warn"], YOUNG, "warn"),
        ([], GRACE, "stale"),
        (["fresh"], GRACE, "stale"),
        (["unknown"], GRACE, "stale"),
        (["fresh"], timedelta(days=400), "stale"),
        (["fresh"], None, "stale"),
    ],
)
def test_never_is_neutral_for_24_hours_and_stale_afterwards(
    others: list[str], age: timedelta | None, expected: str
) -> None:
    assert aggregate([record("never"), *(record(status) for status in others)], age) == expected


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=400), None], ids=["new", "old", "unknown"])
@pytest.mark.parametrize(("others", "expected"), [([], "unknown"), (["fresh"], "fresh"), (["warn"], "warn")])
def test_an_unused_section_without_limits_stays_neutral(
    age: timedelta | None, others: list[str], expected: str
) -> None:
    unused = record("never", UNLIMITED)
    assert aggregate([unused, *(record(status) for status in others)], age) == expected

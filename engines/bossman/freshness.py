"""Freshness: how old the newest record of a section is, and whether that is all right. Pure.

The HTTP status never carries freshness: the dashboard answers 200 with the verdict inside.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

Status = Literal["fresh", "warn", "stale", "never", "unknown"]
Reason = Literal[
    "within_slo",
    "over_warn",
    "over_error",
    "no_records",
    "future_timestamp",
    "read_timeout",
    "read_error",
    "read_denied",
    "expired_reading",
    "clock_skew",
]
Failure = Literal["read_timeout", "read_error", "read_denied"]
Section = Literal[
    "events",
    "temperature",
    "budget",
    "kpi",
    "strategy_locks",
    "firearms",
    "analytics",
    "training_prefs",
    "kill_switch",
]

FUTURE_TOLERANCE = timedelta(seconds=5)
"""Clocks of two machines differ by this much; a record further ahead is not believed."""

READING_TTL = timedelta(seconds=30)
"""A reading older than this says nothing about now."""

BY_CLOCK: frozenset[Section] = frozenset({"budget", "strategy_locks"})
"""Sums of a window that ends now, and locks that are valid now: a clock that is off leaves something out."""

GRACE = timedelta(hours=24)
"""A tenant younger than this may have no record yet without counting as stale."""


@dataclass(frozen=True)
class Limits:
    """Ages in seconds after which a section is warn and stale; None means it has no limit."""

    warn_after_seconds: int | None = None
    error_after_seconds: int | None = None

    def __post_init__(self) -> None:
        warn, error = self.warn_after_seconds, self.error_after_seconds
        if (warn is None) != (error is None) or (warn is not None and error is not None and warn >= error):
            raise ValueError("warn_after_seconds and error_after_seconds come together, warn below error")


HOUR, DAY = 3_600, 86_400

LIMITS: dict[Section, Limits] = {
    "events": Limits(warn_after_seconds=HOUR, error_after_seconds=DAY),
    "temperature": Limits(warn_after_seconds=DAY, error_after_seconds=3 * DAY),
    "budget": Limits(warn_after_seconds=DAY, error_after_seconds=3 * DAY),
    "kpi": Limits(),
    "strategy_locks": Limits(),
    "firearms": Limits(),
    "analytics": Limits(warn_after_seconds=HOUR, error_after_seconds=DAY),
    "training_prefs": Limits(),
    "kill_switch": Limits(),
}
"""What is set once and stays right has no limit."""


@dataclass(frozen=True)
class Reading:
    """What was read of a section, when, and from where. ``failure`` says why it could not be read."""

    source: str
    observed_at: datetime
    last_updated_at: datetime | None = None
    failure: Failure | None = None


class Freshness(BaseModel):
    """The freshness record of one section."""

    status: Status
    reason: Reason
    last_updated_at: datetime | None
    observed_at: datetime
    evaluated_at: datetime
    age_seconds: float | None
    warn_after_seconds: int | None
    error_after_seconds: int | None
    source: str


def evaluate(
    reading: Reading,
    limits: Limits,
    now: datetime,
    skew: timedelta = timedelta(),
    *,
    by_clock: bool = False,
) -> Freshness:
    """The verdict on ``reading`` at ``now``; the age is computed here and stored nowhere.

    ``skew`` is how far clocks are apart, when that is too much: then a section that is made ``by_clock`` is
    unknown, and so is any other whose verdict would be another one were its newest record so much older.
    """
    status, reason = _verdict(reading, limits, now)
    if skew and not reading.failure:
        older, _ = _verdict(_older(reading, skew), limits, now)
        if by_clock or older != status:
            status, reason = "unknown", "clock_skew"
    age = None if reading.last_updated_at is None else max(0.0, _seconds(now - reading.last_updated_at))
    return Freshness(
        status=status,
        reason=reason,
        last_updated_at=reading.last_updated_at,
        observed_at=reading.observed_at,
        evaluated_at=now,
        age_seconds=age,
        warn_after_seconds=limits.warn_after_seconds,
        error_after_seconds=limits.error_after_seconds,
        source=reading.source,
    )


def aggregate(records: Iterable[Freshness], tenant_age: timedelta | None) -> Status:
    """The worst of all: stale > unknown > warn > fresh.

    ``never`` is neutral during the tenant's first 24 hours and stale afterwards; a tenant of unknown age
    (None) gets no grace. A section without limits that was never used stays neutral: nothing is due there.
    Nothing that counts at all = unknown.
    """
    statuses = {_counted(record, tenant_age) for record in records} - {None}
    order: tuple[Status, ...] = ("stale", "unknown", "warn", "fresh")
    return next((status for status in order if status in statuses), "unknown")


def _counted(record: Freshness, tenant_age: timedelta | None) -> Status | None:
    if record.status != "never":
        return record.status
    if record.error_after_seconds is None or (tenant_age is not None and tenant_age < GRACE):
        return None
    return "stale"


def _verdict(reading: Reading, limits: Limits, now: datetime) -> tuple[Status, Reason]:
    if reading.failure:
        return "unknown", reading.failure
    if now - reading.observed_at > READING_TTL:
        return "unknown", "expired_reading"
    if reading.last_updated_at is None:
        return "never", "no_records"
    age = now - reading.last_updated_at
    if age < -FUTURE_TOLERANCE:
        return "unknown", "future_timestamp"
    if limits.error_after_seconds is not None and _seconds(age) > limits.error_after_seconds:
        return "stale", "over_error"
    if limits.warn_after_seconds is not None and _seconds(age) > limits.warn_after_seconds:
        return "warn", "over_warn"
    return "fresh", "within_slo"


def _older(reading: Reading, by: timedelta) -> Reading:
    newest = reading.last_updated_at
    return reading if newest is None else replace(reading, last_updated_at=newest - by)


def _seconds(age: timedelta) -> float:
    return round(age.total_seconds(), 3)

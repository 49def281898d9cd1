"""The clock, passed in wherever time matters so that tests can move it, and the times callers give."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

Clock = Callable[[], datetime]
"""Returns the current time, timezone-aware, in UTC."""


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ValueError when UTC has no year for it."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # Year 1 and year 9999 have hours that exist in other timezones only; no store holds them.
        raise ValueError("the time is outside the years 1 to 9999 in UTC") from None


GivenTime = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A caller's time: it must name its timezone and is kept in UTC."""

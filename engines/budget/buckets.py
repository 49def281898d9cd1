"""Time cut into days, hours, minutes and instants (UTC), and a window covered by few of them.

The roll-ups of an hour lie in a collection of their day, those of a minute in one of their hour, those of
an instant in one of their minute: what is read at the edges of a window stays small however much is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from engines.budget.models import DAYS, Level
from engines.common.documents import Address, Span

TICK = timedelta(microseconds=1)
"""The resolution of every stored time: a span before ``moment + TICK`` includes the moment."""

LEVELS: dict[Level, timedelta] = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "instant": TICK,
}


@dataclass(frozen=True)
class Part:
    """A stretch of a window that is made of whole buckets of one level, all in one collection."""

    level: Level
    start: datetime
    end: datetime

    @property
    def address(self) -> Address:
        """Where the roll-ups of the part are."""
        return rollups_of(self.level, self.start)

    @property
    def span(self) -> Span:
        """The starts of the part's buckets."""
        return Span(self.start, self.end)


def bucket(moment: datetime, level: Level) -> datetime:
    """Start of the bucket that holds the moment (in UTC)."""
    if level == "instant":
        return moment
    minute = moment.replace(second=0, microsecond=0)
    if level == "minute":
        return minute
    return minute.replace(minute=0) if level == "hour" else minute.replace(hour=0, minute=0)


def rollups_of(level: Level, moment: datetime) -> Address:
    """Where the roll-up of the moment's bucket lies."""
    below = {
        "day": "",
        "hour": f"/{moment.date().isoformat()}/hours",
        "minute": f"/{moment.date().isoformat()}/hours/{moment:%H}/minutes",
        "instant": f"/{moment.date().isoformat()}/hours/{moment:%H}/minutes/{moment:%M}/instants",
    }
    return Address(DAYS.name + below[level])


def inclusive(start: datetime, end: datetime) -> Span:
    """From start to end, both included."""
    return Span(start, end + TICK)


def cover(since: datetime, now: datetime) -> Iterator[Part]:
    """Cover [since, now] without overlap: whole days, then finer towards both edges. At least a day long."""
    edges = [
        since,
        _next_bucket(since, "minute"),
        _next_bucket(since, "hour"),
        _next_bucket(since, "day"),
        bucket(now, "day"),
        bucket(now, "hour"),
        bucket(now, "minute"),
        now + TICK,
    ]
    levels: list[Level] = ["instant", "minute", "hour", "day", "hour", "minute", "instant"]
    for level, (start, end) in zip(levels, pairwise(edges), strict=True):
        if start < end:
            yield Part(level, start, end)


def _next_bucket(moment: datetime, level: Level) -> datetime:
    """Start of the first bucket that begins at the moment or later."""
    start = bucket(moment, level)
    return start if start == moment else start + LEVELS[level]

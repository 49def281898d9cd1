"""Time cut into days, hours and instants (UTC), and a window covered by few of them.

A day's roll-up tells its hours apart, an hour's its minutes; an instant is one exact time. So a window is
whole hours, the minutes of its first and last hour, and the instants of its first and last minute. Each hour
has a collection of its own, and each minute one for its instants: what is read at the edges of a window stays
small however much is kept. Their times are in the collections' ids, since Firestore indexes all collections
of one id together, and its stand-in reads them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from engines.budget.models import DAYS, USAGE, Level
from engines.common.documents import Address, Span

TICK = timedelta(microseconds=1)
"""The resolution of every stored time: a span before ``moment + TICK`` includes the moment."""

SLOTS: dict[Level, timedelta] = {"day": timedelta(hours=1), "hour": timedelta(minutes=1), "instant": TICK}
"""Length of the slots of each level's roll-ups."""


@dataclass(frozen=True)
class Part:
    """A stretch of a window that is made of whole slots of one level, all in one collection.

    Days share their collection; that of an hour or of a minute's instants holds little else than the part.
    """

    level: Level
    start: datetime
    end: datetime

    @property
    def address(self) -> Address:
        """Where the roll-ups of the part are."""
        return rollups_of(self.level, self.start)

    @property
    def span(self) -> Span:
        """The starts of the roll-ups that have slots in the part."""
        return Span(bucket(self.start, self.level), self.end)

    def holds(self, start: datetime, slot: int) -> bool:
        """Whether the slot of the roll-up that begins at ``start`` belongs to the part."""
        return self.start <= start + slot * SLOTS[self.level] < self.end


def bucket(moment: datetime, level: Level) -> datetime:
    """Start of the bucket that holds the moment (in UTC)."""
    if level == "instant":
        return moment
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if level == "hour" else hour.replace(hour=0)


def slot_of(moment: datetime, level: Level) -> int:
    """Number of the slot that holds the moment in its bucket."""
    return (moment - bucket(moment, level)) // SLOTS[level]


def rollups_of(level: Level, moment: datetime) -> Address:
    """Where the roll-up of the moment's bucket lies."""
    if level == "day":
        return DAYS
    of_hour, of_minute = len("2026-03-01T12"), len("2026-03-01T12:34")
    time = moment.isoformat()[: of_hour if level == "hour" else of_minute]
    return Address(f"{USAGE}/{level}s_{time}")


def inclusive(start: datetime, end: datetime) -> Span:
    """From start to end, both included."""
    return Span(start, end + TICK)


def cover(since: datetime, now: datetime) -> Iterator[Part]:
    """Cover [since, now] without overlap: whole hours, then finer towards both edges. At least a day long."""
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    edges = [since, _up(since, minute), _up(since, hour), _down(now, hour), _down(now, minute), now + TICK]
    levels: list[Level] = ["instant", "hour", "day", "hour", "instant"]
    for level, (start, end) in zip(levels, pairwise(edges), strict=True):
        if start < end:
            yield Part(level, start, end)


def _down(moment: datetime, step: timedelta) -> datetime:
    return moment - (moment - bucket(moment, "day")) % step


def _up(moment: datetime, step: timedelta) -> datetime:
    down = _down(moment, step)
    return down if down == moment else down + step

"""Counts of accepted events per hour, its minutes as slots: what is kept, and how it is read.

Each process writes its own absolute counts under its own suffix, ``m07_total~`` with the tag of its sink and
a name that it made up, so that a write can be repeated and never counts twice. Readers sum over the suffixes;
counts without one are from before.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel, model_validator

from engines.common.clock import Clock, utc_now
from engines.common.collection import Reads
from engines.common.documents import Address, Scope, Span

HOURS = Address("event_arrivals/{tenant}_{env}/hours")

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

KINDS = ("total", "trainable", "flagged", "again")
"""What is counted of a minute; ``again`` are events under an id that an earlier one may have had."""

_SLOT = re.compile(r"m(\d\d)_(total|trainable|flagged|again)(?:~([0-9a-f]+))?\Z")


class Slot(NamedTuple):
    """The name of a count: of which minute, of what, and which process wrote it as its own, if any."""

    minute: int
    kind: str
    writer: str | None

    @classmethod
    def of(cls, name: str) -> "Slot":
        """The slot that a field's name says, which must be one."""
        found = _SLOT.match(name)
        assert found is not None, "only slots are gathered"
        return cls(int(found[1]), found[2], found[3])


class HourCounts(BaseModel):
    """The counts of one hour: ``m07_total``, ``m07_trainable`` and ``m07_flagged`` are its 8th minute's."""

    start: datetime
    sums: dict[str, int]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"sums": {name: value for name, value in fields.items() if _SLOT.match(name)}}

    def slots(self) -> Iterator[tuple[Slot, int]]:
        """Every count with its slot; a slot comes once for each process."""
        return ((Slot.of(name), value) for name, value in self.sums.items())

    def distinct(self, sink: str) -> Counter[int]:
        """Per minute, how many events were accepted for the sink with this tag, each with an id of its own.

        Counts from before processes wrote their own are left out: they may hold an event twice.
        """
        found: Counter[int] = Counter()
        for slot, value in self.slots():
            is_for_it = slot.writer is not None and slot.writer.startswith(sink)
            if is_for_it and slot.kind in ("total", "again"):
                found[slot.minute] += value if slot.kind == "total" else -value
        return found


@dataclass(frozen=True)
class Counts:
    """Events of one stretch of time. What is flagged is never trainable."""

    total: int = 0
    trainable: int = 0
    flagged: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.total + other.total, self.trainable + other.trainable, self.flagged + other.flagged
        )


@dataclass(frozen=True)
class Day:
    """The last hour by minutes (60) and the last day by hours (24), oldest first, each by its start (UTC).

    The last of each is the present one, so still growing.
    """

    minutes: dict[datetime, Counts]
    hours: dict[datetime, Counts]


class ArrivalReads:
    """Reads counts; cannot write. Every call reads once, at most 25 documents, and may raise StoreError."""

    def __init__(self, hours: Reads[HourCounts], clock: Clock = utc_now) -> None:
        self._hours = hours
        self._clock = clock

    async def last_day(self, scope: Scope) -> Day:
        """The last hour by minutes and the last day by hours."""
        minute = self._clock().replace(second=0, microsecond=0)
        hour = minute.replace(minute=0)
        by_minute = await self._by_minute(scope, hour - 23 * HOUR)
        by_hour = {hour - back * HOUR: Counts() for back in reversed(range(24))}
        for moment, counts in by_minute.items():
            start = moment.replace(minute=0)
            if start in by_hour:
                by_hour[start] += counts
        last_hour = [minute - back * MINUTE for back in reversed(range(60))]
        return Day({moment: by_minute.get(moment, Counts()) for moment in last_hour}, by_hour)

    async def totals(self, scope: Scope) -> Counts:
        """All of the last 24 hours, to the minute."""
        since = self._clock() - 24 * HOUR
        found = await self._by_minute(scope, since.replace(minute=0, second=0, microsecond=0))
        return sum((counts for moment, counts in found.items() if moment > since), Counts())

    async def _by_minute(self, scope: Scope, since: datetime) -> dict[datetime, Counts]:
        found = await self._hours.find(scope, order_by="start", span=Span(since))
        return {moment: counts for stored in found for moment, counts in _minutes_of(stored.record).items()}


def hour_of(moment: datetime) -> datetime:
    """The start of the hour that the moment lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _minutes_of(record: HourCounts) -> dict[datetime, Counts]:
    """The counts of each minute that had events."""
    found: dict[datetime, Counts] = {}
    for slot, value in record.slots():
        if slot.kind != "again":
            moment = record.start + slot.minute * MINUTE
            found[moment] = found.get(moment, Counts()) + Counts(**{slot.kind: value})
    return found

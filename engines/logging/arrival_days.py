"""Counts of accepted events per day, its hours as slots: a list of many tenants reads two documents a row.

Written together with the counts of hours, by each process under its own suffix as there. Read by id alone, so
that the cost never depends on other tenants.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, model_validator

from engines.common.clock import Clock, utc_now
from engines.common.collection import Reads
from engines.common.documents import Address, Fields, Scope, Write

DAYS = Address("event_arrivals/{tenant}_{env}/days")

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

_SLOT = re.compile(r"(h\d\d_(?:total|trainable))(?:~[0-9a-f]+)?\Z")


class DayCounts(BaseModel):
    """The counts of one day: ``h07_total`` and ``h07_trainable`` are its 8th hour's, of all processes."""

    newest: datetime
    sums: Counter[str]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, fields: dict[str, Any]) -> dict[str, Any]:
        sums: Counter[str] = Counter()
        for name, value in fields.items():
            if slot := _SLOT.match(name):
                sums[slot[1]] += value
        newest = max((at for name, at in fields.items() if name.startswith("newest")), default=None)
        return {"newest": newest, "sums": sums}


@dataclass(frozen=True)
class Recent:
    """Start of the minute of the newest event since yesterday, if any, and the last 24 hours, to the hour."""

    newest_at: datetime | None = None
    total: int = 0
    trainable: int = 0


class RecentReads:
    """Reads counts; cannot write."""

    def __init__(self, days: Reads[DayCounts], clock: Clock = utc_now) -> None:
        self._days = days
        self._clock = clock

    async def recent(self, scope: Scope) -> Recent:
        """What arrived lately: two documents. Raises StoreError."""
        now = self._clock()
        hours = [now - back * HOUR for back in range(24)]
        dates = [now - DAY, now]
        found = await asyncio.gather(*(self._days.get(scope, _key(date)) for date in dates))
        by_key = {_key(date): one.record for date, one in zip(dates, found, strict=True) if one}
        known = [(by_key[_key(hour)].sums, f"h{hour:%H}") for hour in hours if _key(hour) in by_key]
        total, trainable = (
            sum(sums.get(f"{slot}_{what}", 0) for sums, slot in known) for what in ("total", "trainable")
        )
        newest = max((day.newest for day in by_key.values()), default=None)
        return Recent(newest, total, trainable)


def day_write(scope: Scope, start: datetime, counts: Mapping[str, int], writer: str) -> Write:
    """All that one process counted of an hour, given by minutes as in ``arrival_hours``, for its day."""
    sums: Counter[str] = Counter()
    for name, count in counts.items():
        sums[name.partition("_")[2]] += count
    minute = max(int(name[1:3]) for name in counts)
    slots = {f"h{start:%H}_{what}~{writer}": sums[what] for what in ("total", "trainable") if sums[what]}
    newest = start.replace(minute=minute)
    # The plain name is read by processes of the release before.
    fields: Fields = {"newest": newest, f"newest~{writer}": newest} | slots
    return Write(DAYS, scope, _key(start), fields, merge=True)


def _key(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"

"""Arrivals: how many events of a tenant and env were accepted, per minute and hour, for charts.

One document per tenant, env and hour, its minutes as slots that merging writes increment. To keep a busy
tenant from one more write per event, counts are gathered in the process and written at most once per
second and at shutdown: a crash may lose up to a second of COUNTS, and while the store fails they wait in
the process. Events themselves are never touched: what the sink holds is the truth, this is what Bossman
accepted.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel, model_validator

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection, Reads
from engines.common.documents import (
    Address,
    DocumentStore,
    Fields,
    Increment,
    Scope,
    Span,
    StoreError,
    StoreTimeout,
    Write,
)
from engines.common.identity import ENVS
from engines.common.tracing import background
from engines.logging.arrival_days import DAYS, DayCounts, RecentReads, day_write
from engines.nexus.backends.sink import Envelope

log = logging.getLogger(__name__)

HOURS = Address("event_arrivals/{tenant}_{env}/hours")

FLUSH_SECONDS = 1.0
PLACES_AT_ONCE = 250
MAX_WAITING = 10_000
"""Most hours of scopes that wait while the store fails; counts of further ones are dropped."""

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

_SLOT = re.compile(r"m(\d\d)_(total|trainable|flagged)\Z")

Place = tuple[Scope, datetime]
Waiting = dict[Place, Counter[str]]


class HourCounts(BaseModel):
    """The counts of one hour: ``m07_total``, ``m07_trainable`` and ``m07_flagged`` are its 8th minute's."""

    start: datetime
    sums: dict[str, int]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"sums": {name: value for name, value in fields.items() if _SLOT.match(name)}}


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


class EventMilestones(Protocol):
    """Milestones, as far as arrivals tell them."""

    def event(self, scope: Scope, at: datetime) -> None:
        """An event was accepted at the time. Never raises, never waits."""
        ...


class Arrivals:
    """Counts accepted events."""

    def __init__(
        self,
        store: DocumentStore,
        clock: Clock = utc_now,
        flush_seconds: float = FLUSH_SECONDS,
        milestones: EventMilestones | None = None,
    ) -> None:
        self._store = store
        self._milestones = milestones
        self._flush_seconds = flush_seconds
        self.reads = ArrivalReads(Collection(store, HOURS, HourCounts), clock)
        self.recent = RecentReads(Collection(store, DAYS, DayCounts), clock)
        self._waiting: Waiting = {}
        self._flushing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def add(self, envelope: Envelope) -> None:
        """Count one accepted event; written within a second or so. Never raises, never waits."""
        _fold(self._waiting, [envelope])
        event = envelope.event
        if self._milestones and event.env in ENVS:
            self._milestones.event(Scope(event.tenantId, event.env), envelope.ingested_at)
        if self._flushing is None or self._flushing.done():
            self._flushing = background(self._keep_flushing())

    async def record(self, envelopes: Iterable[Envelope]) -> None:
        """Count many accepted events now, one write per tenant, env and hour. Raises StoreError."""
        folded: Waiting = {}
        _fold(folded, envelopes)
        await self._write(folded)

    async def flush(self) -> None:
        """Write what waits. While the store fails it goes on waiting."""
        taken, self._waiting = self._waiting, {}
        try:
            await self._write(taken)
        except StoreTimeout as error:
            # It may have been written: better a count too few than one event twice.
            log.warning("counts of arrivals may be lost: %s", error)
        except StoreError as error:
            log.warning("counts of arrivals wait: %s", error)
            for place, counts in list(taken.items())[: MAX_WAITING - len(self._waiting)]:
                self._waiting.setdefault(place, Counter()).update(counts)

    async def close(self) -> None:
        """Write what waits, once; the store is the caller's."""
        self._closing.set()
        if self._flushing:
            await self._flushing
        await self.flush()

    async def _keep_flushing(self) -> None:
        while self._waiting and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._flush_seconds):
                    await self._closing.wait()
            await self.flush()

    async def _write(self, folded: Waiting) -> None:
        """One merging write per hour and one for its day. What is written leaves ``folded``."""
        while folded:
            places = list(folded)[:PLACES_AT_ONCE]
            hours = [_as_write(place, folded[place]) for place in places]
            days = [day_write(*place, folded[place]) for place in places]
            await self._store.put_all([*hours, *days])
            for place in places:
                del folded[place]


def _fold(waiting: Waiting, envelopes: Iterable[Envelope]) -> None:
    for envelope in envelopes:
        event, moment = envelope.event, envelope.ingested_at
        # An event's env is free text; only an env that somebody can look at is counted.
        if event.env not in ENVS:
            continue
        start = moment.replace(minute=0, second=0, microsecond=0)
        counts = waiting.setdefault((Scope(event.tenantId, event.env), start), Counter())
        counts[f"m{moment.minute:02}_total"] += 1
        counts[f"m{moment.minute:02}_trainable"] += event.train_ok
        counts[f"m{moment.minute:02}_flagged"] += bool(event.pii_flags.get("flags"))


def _as_write(place: Place, counts: Counter[str]) -> Write:
    scope, start = place
    fields: Fields = {"start": start} | {name: Increment(by) for name, by in counts.items() if by}
    return Write(HOURS, scope, start.isoformat(), fields, merge=True)


def _minutes_of(record: HourCounts) -> dict[datetime, Counts]:
    """The counts of each minute that had events."""
    found: dict[datetime, Counts] = {}
    for name, value in record.sums.items():
        minute, _, what = name[1:].partition("_")
        moment = record.start + int(minute) * MINUTE
        found[moment] = found.get(moment, Counts()) + Counts(**{what: value})
    return found

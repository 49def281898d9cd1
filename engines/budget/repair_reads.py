"""What the repair of roll-ups compares: usage events, slots of roll-ups, and the hours that have either."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain

from pydantic import ValidationError

from engines.budget.buckets import bucket, rollups_of, slot_of
from engines.budget.models import DAYS, USAGE_EVENTS, Dims, Level, Rollup, UsageEvent, dims_of
from engines.budget.money import to_smallest
from engines.budget.rollups import Tally, slot_tallies
from engines.common.collection import Collection
from engines.common.documents import Address, Document, DocumentStore, Scope, Span

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EARLIEST = datetime.min.replace(tzinfo=UTC)
PAGE = 500
AT_ONCE = 10

Instants = dict[tuple[datetime, Dims], Tally]
Slots = dict[tuple[int, Dims], Tally]


def end_of(start: datetime, length: timedelta) -> datetime | None:
    """Where a stretch of time ends; None for the last one that there is."""
    return None if start > datetime.max.replace(tzinfo=UTC) - length else start + length


class RepairReads:
    """Reads of one scope. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, scope: Scope) -> None:
        self.scope = scope
        self._store = store

    async def undated(self) -> int:
        """How many events have no usable time, so that no window has them; none too many."""
        counted = await self._store.count(USAGE_EVENTS, self.scope)
        dated = Span(EARLIEST)
        return max(0, counted - await self._store.count(USAGE_EVENTS, self.scope, None, "created_at", dated))

    async def hours(self) -> list[datetime]:
        """Starts of the hours that have events, or sums in the roll-ups of days; oldest first."""
        hours = {hour async for hour in self._buckets(USAGE_EVENTS, "created_at", "hour", HOUR)}
        async for day in self._buckets(DAYS, "start", "day", DAY):
            for rollup in await self._days(day):
                hours |= {day + slot * HOUR for slot in slot_tallies(rollup)}
        return sorted(hours)

    async def events(self, start: datetime, end: datetime | None) -> tuple[Instants, list[datetime]]:
        """Sums of the events of [start, end) by instant, and the times of events that cannot be summed."""
        sums: Instants = defaultdict(Tally)
        unreadable = []
        async for moment, document in self._documents(start, end):
            try:
                event = UsageEvent.model_validate(document.fields)
                sums[moment, dims_of(event)].add(1, to_smallest(event.cost))
            except ValidationError:
                unreadable.append(moment)
        return dict(sums), unreadable

    async def minutes(self, hour: datetime) -> Slots:
        """The sums of each minute, from the hour's roll-ups."""
        return _slots(await self._find(rollups_of("hour", hour)))

    async def of_day(self, hour: datetime) -> dict[Dims, Tally]:
        """The sums of the hour, from the day's roll-ups."""
        found, slot = _slots(await self._days(bucket(hour, "day"))), slot_of(hour, "day")
        return {dims: tally for (number, dims), tally in found.items() if number == slot}

    async def instants(self, hour: datetime, minutes: Iterable[int]) -> Instants:
        """The sums of each instant of the minutes, from their roll-ups."""
        addresses = [rollups_of("instant", hour + minute * MINUTE) for minute in sorted(minutes)]
        found = []
        for first in range(0, len(addresses), AT_ONCE):
            found += await asyncio.gather(*map(self._find, addresses[first : first + AT_ONCE]))
        sums: Instants = defaultdict(Tally)
        for rollup in chain.from_iterable(found):
            for tally in slot_tallies(rollup).values():
                sums[_plain(rollup.start), dims_of(rollup)].add(tally.count, tally.smallest)
        return dict(sums)

    async def _documents(
        self, start: datetime, end: datetime | None
    ) -> AsyncIterator[tuple[datetime, Document]]:
        limit = PAGE
        while True:
            page = await self._store.scan(
                USAGE_EVENTS, self.scope, order_by="created_at", span=Span(start, end), limit=limit
            )
            dated = [(_plain(document.fields["created_at"]), document) for document in page]
            if len(page) < limit:
                break
            last = dated[-1][0]
            if last == dated[0][0]:
                limit *= 2
                continue
            # The last moment of a full page may have more events than fit into it.
            for moment, document in dated:
                if moment < last:
                    yield moment, document
            start, limit = last, PAGE
        for moment, document in dated:
            yield moment, document

    async def _buckets(
        self, address: Address, field: str, level: Level, length: timedelta
    ) -> AsyncIterator[datetime]:
        """The starts of the level's buckets that hold a document, by its time in ``field``."""
        start: datetime | None = EARLIEST
        while start is not None:
            found = await self._store.scan(address, self.scope, order_by=field, span=Span(start), limit=1)
            if not found:
                return
            held = bucket(_plain(found[0].fields[field]), level)
            yield held
            start = end_of(held, length)

    async def _days(self, day: datetime) -> list[Rollup]:
        return await self._find(DAYS, Span(day, end_of(day, DAY)))

    async def _find(self, address: Address, span: Span | None = None) -> list[Rollup]:
        found = Collection(self._store, address, Rollup)
        order_by = "start" if span else None
        return [stored.record for stored in await found.find(self.scope, order_by=order_by, span=span)]


def _slots(rollups: Iterable[Rollup]) -> Slots:
    sums: Slots = defaultdict(Tally)
    for rollup in rollups:
        for slot, tally in slot_tallies(rollup).items():
            sums[slot, dims_of(rollup)].add(tally.count, tally.smallest)
    return dict(sums)


def _plain(moment: datetime) -> datetime:
    """The time itself: Firestore's own type knows nanoseconds, which no stored time of ours has."""
    return datetime.combine(moment.date(), moment.timetz())

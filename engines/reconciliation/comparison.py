"""One comparison of a tenant's hours: what was accepted, what waits or was refused, what the sink holds.

Read in this order: an event moves from the outbox to the sink or to the dead letters, and from there to the
sink, so that it is seen at least once wherever it is meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from engines.common.collection import Reads
from engines.common.documents import Scope, Span
from engines.logging.arrival_hours import MINUTE, HourCounts
from engines.nexus.backends.sink import SinkReads
from engines.nexus.delivery.state import Undelivered
from engines.reconciliation.models import AcknowledgedHour
from engines.reconciliation.rules import Figures, end_of, suspects

COUNTS_AT_ONCE = 4
PAGE = 500


class Unstored(Protocol):
    """Delivery, as far as a comparison needs it. Each may raise StoreError."""

    async def undelivered(self, scope: Scope) -> Undelivered:
        """The scope's events that wait for the sink."""
        ...

    async def refused_later(self, scope: Scope, hour: datetime) -> int:
        """How many accepted events of the hour the sink refused after all, and are kept as dead letters."""
        ...


class Comparison:
    """Compares hours. Every method may raise SinkError and StoreError."""

    def __init__(
        self,
        counts: Reads[HourCounts],
        acknowledged: Reads[AcknowledgedHour],
        sink: SinkReads,
        delivery: Unstored,
    ) -> None:
        self._counts = counts
        self._acknowledged = acknowledged
        self._sink = sink
        self._delivery = delivery
        self._tag = sink.describe().tag

    @property
    def can_compare(self) -> bool:
        """Whether the sink keeps events at all."""
        return not self._sink.describe().discards

    async def hours(
        self, scope: Scope, starts: Sequence[datetime], now: datetime
    ) -> list[tuple[Figures, int]]:
        """The figures of the hours, and how many events of each are nowhere."""
        accepted = await asyncio.gather(*(self._accepted(scope, start, now) for start in starts))
        waits = await self._delivery.undelivered(scope)
        figures: list[Figures] = []
        for first in range(0, len(starts), COUNTS_AT_ONCE):
            some = range(first, min(first + COUNTS_AT_ONCE, len(starts)))
            figures += await asyncio.gather(
                *(self._figures(scope, starts[one], end_of(starts[one], now), accepted[one]) for one in some)
            )
        nowhere = suspects(figures, waits.depth, waits.oldest_at)
        return [(one, nowhere[one.start]) for one in figures]

    async def counted_hours(self, scope: Scope, since: datetime | None) -> AsyncIterator[list[datetime]]:
        """Pages of all hours that have counts, oldest first."""
        while True:
            page = await self._counts.find(scope, order_by="start", limit=PAGE, span=Span(since))
            yield [stored.record.start for stored in page if stored.record.distinct(self._tag).total() > 0]
            if len(page) < PAGE:
                return
            since = page[-1].record.start + MINUTE

    async def _accepted(self, scope: Scope, start: datetime, now: datetime) -> int:
        found = await self._counts.get(scope, start.isoformat())
        minutes = found.record.distinct(self._tag) if found else {}
        until = end_of(start, now)
        return sum(count for minute, count in minutes.items() if start + minute * MINUTE < until)

    async def _figures(self, scope: Scope, start: datetime, until: datetime, accepted: int) -> Figures:
        if accepted <= 0:
            return Figures(start, until, 0, 0)
        stored = await self._sink.count(scope.tenant_id, scope.env, start, until)
        if stored >= accepted:
            return Figures(start, until, accepted, stored)
        refused = await self._delivery.refused_later(scope, start)
        known = await self._acknowledged.get(scope, start.isoformat())
        return Figures(start, until, accepted, stored, refused, known.record.events if known else 0)

"""What a killed process left half done: raw records without their event, and the other way round.

Looked for once, a while after the start, among the raw records of the time before it. A raw record without
its event is deleted only if the sink holds everything that was accepted: else it may be all that is left of
an accepted event.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from engines.analytics.models import AnalyticsEvent
from engines.analytics.raw_records import MARGIN, SETTLED_AFTER, RawRecords, Waiting, analytics_events
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Scope, Span, StoreError
from engines.nexus.backends.sink import Envelope, SinkError, SinkReads

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(minutes=10)
"""How long before the start raw records are looked at."""
MOST_RECORDS = 5_000
"""Most raw records that are looked at, the newest."""

Complete = Callable[[Scope], Awaitable[bool]]
"""Whether the sink holds all that was accepted of the scope lately. Raises StoreError, SinkError."""


class CrashRepair:
    """Brings raw records and events of the time before a start in step."""

    def __init__(
        self,
        records: Collection[AnalyticsEvent],
        raw_records: RawRecords,
        sink: SinkReads,
        waiting: Waiting,
        complete: Complete,
    ) -> None:
        self._records = records
        self._raw_records = raw_records
        self._sink = sink
        self._waiting = waiting
        self._complete = complete

    async def run_when_settled(self, started_at: datetime) -> None:
        """Wait until nothing of the time before the start is under way any more, then repair it once."""
        if self._sink.describe().discards:
            return
        while True:
            await asyncio.sleep(SETTLED_AFTER.total_seconds())
            try:
                await self.run(started_at)
            except (SinkError, StoreError) as error:
                log.warning("what a killed process may have left cannot be looked at yet: %s", error)
            else:
                return

    async def run(self, started_at: datetime) -> None:
        """Repair what lies before ``started_at``. Raises StoreError, SinkError; calling again goes on."""
        span = Span(started_at - LOOK_BACK, started_at)
        found = await self._records.find(SYSTEM, order_by="-created_at", limit=MOST_RECORDS, span=span)
        by_scope: dict[Scope, list[AnalyticsEvent]] = defaultdict(list)
        for stored in found:
            by_scope[Scope(stored.record.tenant_id, stored.record.env)].append(stored.record)
        for scope, records in by_scope.items():
            await self._repair(scope, records, started_at)

    async def _repair(self, scope: Scope, records: list[AnalyticsEvent], started_at: datetime) -> None:
        since = min(record.created_at for record in records) - MARGIN
        without_event = {record.id for record in records}
        without_raw: list[Envelope] = []
        async for envelope in analytics_events(self._sink, scope, since):
            if envelope.event_id in without_event:
                without_event.discard(envelope.event_id)
            elif envelope.ingested_at < started_at:
                without_raw.append(envelope)
        await self._raw_records.restore(without_raw)
        if not without_event or await self._waiting(scope) or not await self._complete(scope):
            return
        for event_id in without_event:
            log.warning("raw record %s of %s has no event and goes", event_id, scope.tenant_id)
            await self._records.delete(scope, event_id)

"""What a crash left half done: raw records without their event, and the other way round.

A crash is one of this process, known at its start, or one of the store, known when it came back with less.
Looked for a while after it, among what was stored before. A raw record without its event is deleted only if
the sink holds everything that was accepted: else it may be all that is left of an accepted event.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from engines.analytics.models import AnalyticsEvent
from engines.analytics.raw_records import MARGIN, SETTLED_AFTER, RawRecords, Waiting, analytics_events
from engines.common.clock import Clock
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Scope, Span, StoreError
from engines.nexus.backends.sink import Envelope, SinkError, SinkReads

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often it is looked whether a repair is due."""
LOOK_BACK = timedelta(minutes=10)
"""How long before the crash raw records and events are looked at."""
MOST_RECORDS = 5_000
"""Most raw records that are looked at, the newest."""

Complete = Callable[[Scope], Awaitable[bool]]
"""Whether the sink holds all that was accepted of the scope lately. Raises StoreError, SinkError."""
Scopes = Callable[[], Iterable[Scope]]
"""The scopes that events were accepted of lately."""


class CrashRepair:
    """Brings raw records and events of the time before a crash in step. ``sink`` is the caller's."""

    def __init__(
        self,
        records: Collection[AnalyticsEvent],
        raw_records: RawRecords,
        sink: SinkReads,
        waiting: Waiting,
        complete: Complete,
        accepted_lately: Scopes,
        clock: Clock,
    ) -> None:
        self._records = records
        self._raw_records = raw_records
        self._sink = sink
        self._waiting = waiting
        self._complete = complete
        self._accepted_lately = accepted_lately
        self._clock = clock
        self._due: datetime | None = None

    def crashed(self) -> None:
        """Repair what was stored before this moment, once nothing of it is under way any more."""
        self._due = self._clock()

    async def keep_repairing(self) -> None:
        """Repair what is due, from time to time, as long as the process lives."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception as error:
                # Whatever it was, the next look must come.
                log.error("the repair after a crash failed in an unforeseen way: %s", type(error).__name__)

    async def look(self) -> None:
        """Repair if it is due. What cannot be read is looked at again."""
        due = self._due
        if self._sink.describe().discards or due is None or self._clock() - due < SETTLED_AFTER:
            return
        try:
            await self._run(due)
        except (SinkError, StoreError) as error:
            log.warning("what a crash may have left cannot be looked at yet: %s", error)
            return
        if self._due == due:
            self._due = None

    async def _run(self, crashed_at: datetime) -> None:
        since = crashed_at - LOOK_BACK
        span = Span(since, crashed_at)
        found = await self._records.find(SYSTEM, order_by="-created_at", limit=MOST_RECORDS, span=span)
        by_scope: dict[Scope, list[AnalyticsEvent]] = {scope: [] for scope in self._accepted_lately()}
        for stored in found:
            by_scope.setdefault(Scope(stored.record.tenant_id, stored.record.env), []).append(stored.record)
        if len(found) == MOST_RECORDS:
            since = found[-1].record.created_at
        for scope, records in by_scope.items():
            await self._repair(scope, records, since - MARGIN, crashed_at)

    async def _repair(
        self, scope: Scope, records: list[AnalyticsEvent], since: datetime, crashed_at: datetime
    ) -> None:
        without_event = {record.id for record in records}
        without_raw: list[Envelope] = []
        async for envelope in analytics_events(self._sink, scope, since):
            if envelope.event_id in without_event:
                without_event.discard(envelope.event_id)
            elif envelope.ingested_at < crashed_at:
                without_raw.append(envelope)
        await self._raw_records.restore(without_raw)
        if not without_event or await self._waiting(scope) or not await self._complete(scope):
            return
        for event_id in without_event:
            log.warning("raw record %s of %s has no event and goes", event_id, scope.tenant_id)
            await self._records.delete(scope, event_id)

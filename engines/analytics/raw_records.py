"""The raw record beside an analytics event: either both are there or neither, whatever failed in between.

A caller that was answered 503 may have left half of it behind: a write whose answer never came can still be
carried out. Such an event is remembered by its id and looked at again once store and sink answer: if the sink
holds the event, its raw record is made from it; if not, a raw record that is there is deleted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from pydantic import ValidationError

from engines.analytics.models import AnalyticsEvent, AnalyticsEventType
from engines.common.clock import Clock
from engines.common.collection import Collection
from engines.common.documents import KeyTaken, Scope, Span, StoreError
from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.sink import Envelope, Record, SinkError, SinkReads

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often unsettled events are looked at."""
SETTLED_AFTER = timedelta(seconds=60)
"""A write without an answer is carried out within this time after its far end answers again, or never."""
MAX_UNSETTLED = 50_000
"""Most events that are remembered; further ones are told in the log alone."""
MARGIN = timedelta(seconds=1)
AT_ONCE = 20

EVENT_TYPES = get_args(AnalyticsEventType)

Waiting = Callable[[Scope], Awaitable[int]]
"""How many of the scope's events wait for the sink. Raises StoreError."""


@dataclass
class _Unsettled:
    """When it was sent, and since when both sides answer that the event is not there."""

    at: datetime
    absent_since: datetime | None = None


class RawRecords:
    """Keeps raw records in step with the events of one sink. ``sink`` and ``records`` are the caller's."""

    def __init__(
        self, records: Collection[AnalyticsEvent], sink: SinkReads, waiting: Waiting, clock: Clock
    ) -> None:
        self._records = records
        self._sink = sink
        self._waiting = waiting
        self._clock = clock
        self._unsettled: dict[Scope, dict[str, _Unsettled]] = {}
        self._running: asyncio.Task[None] | None = None

    def doubt(self, scope: Scope, event_id: str, since: datetime | None = None) -> None:
        """Remember an event of which nobody knows what is stored, ``since`` when (now). Never raises."""
        if sum(map(len, self._unsettled.values())) >= MAX_UNSETTLED:
            log.error("analytics event %s is in doubt and is not looked at again: too many are", event_id)
            return
        doubts = self._unsettled.setdefault(scope, {})
        known = [doubts[event_id].at] if event_id in doubts else []
        doubts[event_id] = _Unsettled(min(since or self._clock(), *known, self._clock()))

    @property
    def unsettled(self) -> int:
        """How many events are remembered."""
        return sum(map(len, self._unsettled.values()))

    async def restore(self, envelopes: Sequence[Envelope]) -> None:
        """Store the raw records of these events where they are missing. Raises StoreError."""
        records = [raw_record(envelope) for envelope in envelopes if is_analytics(envelope.event)]
        for start in range(0, len(records), AT_ONCE):
            await asyncio.gather(*map(self._restore, records[start : start + AT_ONCE]))

    async def settle(self) -> None:
        """Look once at everything in doubt. What cannot be read stays in doubt."""
        for scope in list(self._unsettled):
            try:
                await self._settle(scope)
            except (SinkError, StoreError) as error:
                log.warning("events of %s in doubt cannot be looked at yet: %s", scope.tenant_id, error)

    def start(self) -> None:
        """Settle from now on."""
        self._running = asyncio.create_task(self._keep_settling())

    async def stop(self) -> None:
        """Stop settling; what is in doubt then stays so."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _keep_settling(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.settle()
            except Exception as error:
                # Whatever it was, the next look must come.
                log.error("events in doubt could not be settled: %s", type(error).__name__)

    async def _settle(self, scope: Scope) -> None:
        if await self._waiting(scope):
            return
        doubts = dict(self._unsettled[scope])
        since = min(doubt.at for doubt in doubts.values()) - MARGIN
        events = await self._events(scope, since, doubts)
        await self.restore(list(events.values()))
        for event_id in await self._raw_ids(scope, since):
            if event_id in doubts and event_id not in events:
                await self._records.delete(scope, event_id)
        now = self._clock()
        for event_id, doubt in doubts.items():
            doubt.absent_since = doubt.absent_since or now
            if event_id in events or now - doubt.absent_since >= SETTLED_AFTER:
                del self._unsettled[scope][event_id]
        if not self._unsettled[scope]:
            del self._unsettled[scope]

    async def _events(self, scope: Scope, since: datetime, wanted: Container[str]) -> dict[str, Envelope]:
        """Those of the events that the sink holds."""
        events = analytics_events(self._sink, scope, since)
        return {one.event_id: one async for one in events if one.event_id in wanted}

    async def _raw_ids(self, scope: Scope, since: datetime) -> list[str]:
        found: list[str] = []
        for event_type in EVENT_TYPES:
            stored = await self._records.find(
                scope, {"event_type": event_type}, order_by="-created_at", span=Span(since)
            )
            found += [one.record.id for one in stored]
        return found

    async def _restore(self, record: AnalyticsEvent) -> None:
        try:
            await self._records.create(Scope(record.tenant_id, record.env), record.id, record)
        except KeyTaken:
            return


async def analytics_events(sink: SinkReads, scope: Scope, since: datetime) -> AsyncIterator[Envelope]:
    """The scope's analytics events that the sink holds from ``since`` on, in any order. Raises SinkError."""
    async for record in sink.records(scope.tenant_id, scope.env, since):
        envelope = _envelope(record)
        if envelope and is_analytics(envelope.event):
            yield envelope


def is_analytics(event: DatasetEvent) -> bool:
    """Whether the event has a raw record beside it."""
    return event.analytics_event_type in EVENT_TYPES


def raw_record(envelope: Envelope) -> AnalyticsEvent:
    """The raw record that belongs beside an analytics event."""
    event = envelope.event
    return AnalyticsEvent.model_validate(
        {
            "id": envelope.event_id,
            "tenant_id": event.tenantId,
            "env": event.env,
            "event_type": event.analytics_event_type,
            "payload": {"input": event.input, "metadata": event.metadata},
            "created_at": envelope.ingested_at,
        }
    )


def _envelope(record: Record) -> Envelope | None:
    """The record's event; None where another hand wrote something that is none."""
    fields = record.fields or {}
    try:
        return Envelope.model_validate(fields | {"event": DatasetEvent.model_validate(fields)})
    except ValidationError:
        return None

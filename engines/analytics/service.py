"""Recording analytics events: the raw record, then the dataset event, both or neither."""

import logging
from uuid import uuid4

from engines.analytics.models import ANALYTICS_EVENTS, AnalyticsEvent, AnalyticsEventType, PageviewBody
from engines.analytics.raw_records import RawRecords, Waiting
from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, KeyTaken, Scope, StoreError
from engines.common.errors import Unprocessable
from engines.common.idempotency import OTHER_BODY, IdempotencyKey
from engines.common.identity import RequestContext
from engines.common.storable import NotStorable, check_event
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import EventPipeline, PipelineResult, judge, refusal
from engines.nexus.backends.sink import SinkReads

log = logging.getLogger(__name__)

RAW_LEVELS = 2
"""Levels that a raw record puts above the fields of a body: payload and input."""
EVENT_FIELDS = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "seo_slug",
    "seo_title",
    "seo_description",
)
"""Fields of a body that the event has beside its input too."""


class AnalyticsService:
    """Operations on analytics events. Each may raise StoreError."""

    def __init__(
        self,
        store: DocumentStore,
        pipeline: EventPipeline,
        sink: SinkReads,
        waiting: Waiting,
        clock: Clock = utc_now,
    ) -> None:
        self.events = Collection(store, ANALYTICS_EVENTS, AnalyticsEvent)
        self.raw_records = RawRecords(self.events, sink, waiting, clock)
        self._pipeline = pipeline
        self._clock = clock

    async def record(
        self,
        context: RequestContext,
        event_type: AnalyticsEventType,
        body: PageviewBody,
        key: IdempotencyKey | None = None,
    ) -> PipelineResult:
        """Keep the raw record and send the dataset event under the same id.

        When the event is not stored the raw record is taken back, so that a retry finds nothing half-done.
        What a failure leaves in doubt is settled later, see RawRecords.
        """
        event_id = key.event_id(context.scope) if key else uuid4().hex
        try:
            # Here and not only in the pipeline: the words name the body's fields, and nothing is written yet.
            check_event(dict(body), RAW_LEVELS)
            event = analytics_event(context, event_type, body)
            judge(event)  # what fits once may not fit twice
        except NotStorable as error:
            return refusal(context.tenant_id, event_id, error)
        raw = AnalyticsEvent(
            id=event_id,
            tenant_id=context.tenant_id,
            env=context.env,
            event_type=event_type,
            payload={"input": event.input, "metadata": event.metadata},
            created_at=self._clock(),
        )
        try:
            await self.events.create(context.scope, event_id, raw)
        except KeyTaken:
            return await self._repeat(context.scope, event, raw)
        except StoreError as error:
            if error.transient:
                self.raw_records.doubt(context.scope, event_id)
            raise
        result = await self._pipeline.log(event, event_id, judged=True, is_new=True)
        if result.status == "error":
            await self._take_back(context.scope, event_id, in_doubt=result.kind != "permanent")
        return result

    async def _repeat(self, scope: Scope, event: DatasetEvent, raw: AnalyticsEvent) -> PipelineResult:
        """Send the event of a request that came before under its id: nobody knows whether the sink has it.

        Its raw record stays, whatever comes of it, until it is looked at again. Raises Unprocessable when the
        earlier request was another one.
        """
        stored = await self.events.get(scope, raw.id)
        if stored is None or (stored.record.event_type, stored.record.payload) != (
            raw.event_type,
            raw.payload,
        ):
            raise Unprocessable(OTHER_BODY)
        result = await self._pipeline.log(event, raw.id, judged=True)
        self.raw_records.doubt(scope, raw.id, stored.record.created_at)
        return result

    async def _take_back(self, scope: Scope, event_id: str, *, in_doubt: bool) -> None:
        if in_doubt:
            self.raw_records.doubt(scope, event_id)
        try:
            await self.events.delete(scope, event_id)
        except StoreError as error:
            self.raw_records.doubt(scope, event_id)
            log.warning("analytics event %s could not be taken back yet: %s", event_id, error)


def analytics_event(
    context: RequestContext, event_type: AnalyticsEventType, body: PageviewBody
) -> DatasetEvent:
    """The event of a body: its input is the whole body, nulls too, so that every text of it is scanned."""
    given = body.model_dump()
    return DatasetEvent(
        tenantId=context.tenant_id,
        env=context.env,
        surface=body.surface,
        agentId=context.user_id or "web",
        input=given,
        output={},
        metadata=body.metadata,
        analytics_event_type=event_type,
        analytics_platform="internal",
        traceId=context.request_id,
        requestId=context.request_id,
        actorType="human" if context.user_id else "system",
        **{name: given[name] for name in EVENT_FIELDS},
    )

"""Recording analytics events: the raw record, then the dataset event, both or neither."""

import logging
from typing import Any
from uuid import uuid4

from engines.analytics.models import ANALYTICS_EVENTS, AnalyticsEvent, AnalyticsEventType, PageviewBody
from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, StoreError
from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import EventPipeline, PipelineResult

log = logging.getLogger(__name__)

INPUT_FIELDS = ("page_type", "url", "referrer", "cta_id", "label")
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


class AnalyticsService:
    """Operations on analytics events. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, pipeline: EventPipeline, clock: Clock = utc_now) -> None:
        self._store = store
        self.events = Collection(store, ANALYTICS_EVENTS, AnalyticsEvent)
        self._pipeline = pipeline
        self._clock = clock

    async def record(
        self, context: RequestContext, event_type: AnalyticsEventType, body: PageviewBody
    ) -> PipelineResult:
        """Keep the raw record and send the dataset event under the same id.

        When the event is not stored the raw record is taken back, so that a retry finds nothing half-done.
        """
        event_id = uuid4().hex
        event = _dataset_event(context, event_type, body)
        raw = AnalyticsEvent(
            id=event_id,
            tenant_id=context.tenant_id,
            env=context.env,
            event_type=event_type,
            payload={"input": event.input, "metadata": event.metadata},
            created_at=self._clock(),
        )
        # A new id needs no look at what is there.
        await self._store.put(self.events.write(context.scope, event_id, raw, create=True))
        result = await self._pipeline.log(event, event_id)
        if result.status == "error":
            await self._take_back(context, event_id)
        return result

    async def _take_back(self, context: RequestContext, event_id: str) -> None:
        try:
            await self.events.delete(context.scope, event_id)
        except StoreError as error:
            log.warning("analytics event %s could not be taken back: %s", event_id, error)


def _dataset_event(
    context: RequestContext, event_type: AnalyticsEventType, body: PageviewBody
) -> DatasetEvent:
    values = body.model_dump()
    asked: dict[str, Any] = {name: values[name] for name in INPUT_FIELDS if values.get(name) is not None}
    return DatasetEvent(
        tenantId=context.tenant_id,
        env=context.env,
        surface=body.surface,
        agentId=context.user_id or "web",
        input={"event_type": event_type} | asked,
        output={},
        metadata=body.metadata,
        analytics_event_type=event_type,
        analytics_platform="internal",
        traceId=context.request_id,
        requestId=context.request_id,
        actorType="human" if context.user_id else "system",
        **{name: values[name] for name in EVENT_FIELDS},
    )

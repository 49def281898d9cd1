"""Analytics events as they arrive and as they are kept."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from engines.common.documents import Address

ANALYTICS_EVENTS = Address("analytics_events")

AnalyticsEventType = Literal["pageview", "cta_click"]


class PageviewBody(BaseModel):
    """A page was seen. The fields, in this order, are the event's ``input``.

    ``tenant_id`` and ``env`` are none of them: a body's own count only where no header names the tenant.
    """

    surface: str
    page_type: str | None = None
    url: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    seo_slug: str | None = None
    seo_title: str | None = None
    seo_description: str | None = None
    metadata: dict[str, Any] = {}


class CtaClickBody(PageviewBody):
    """A call to action was clicked."""

    cta_id: str | None = None
    label: str | None = None


class AnalyticsEvent(BaseModel):
    """The raw record; its id is the dataset event's id."""

    id: str
    tenant_id: str
    env: str
    event_type: AnalyticsEventType
    payload: dict[str, Any]
    created_at: datetime

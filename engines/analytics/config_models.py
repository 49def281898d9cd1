"""Analytics configuration of a tenant's surface, and the one in force."""

from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import utc_now
from engines.common.documents import Address

ANALYTICS_CONFIGS = Address("analytics_configs", "{tenant}_{env}_{key}")


class AnalyticsConfigBody(BaseModel):
    """A configuration to store; tenant and env must agree with the request's."""

    tenant_id: str
    env: str
    surface: str
    ga4_measurement_id: str | None = None
    ga4_api_secret_slot: str | None = None
    meta_pixel_id: str | None = None
    tiktok_pixel_id: str | None = None
    snap_pixel_id: str | None = None
    extra: dict[str, Any] = {}


class WithId(BaseModel):
    """The id of a stored record."""

    id: str = Field(default_factory=lambda: uuid4().hex)


class TenantAnalyticsConfig(AnalyticsConfigBody, WithId):
    """The stored configuration of one surface. Tenant ``system`` holds the defaults of all tenants.

    The fields of the last base come first, so the id does.
    """

    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class EffectiveAnalyticsConfig(AnalyticsConfigBody):
    """The configuration in force; tenant and env are those of the record that was found."""

    source: Literal["tenant", "system"]

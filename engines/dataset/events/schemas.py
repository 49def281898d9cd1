"""DatasetEvent, the shape of everything that may become training data."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class DatasetEvent(BaseModel):
    """One event of a tenant. Unknown fields are dropped; ``env`` is free text, not normalised.

    ``pii_flags`` and ``train_ok`` are set by the logging pipeline: whatever a caller puts there is replaced.
    """

    # A number that is not finite stays one, so that it is refused: pydantic would write null.
    model_config = ConfigDict(ser_json_inf_nan="constants")

    tenantId: str = Field(pattern=r"^t_[a-z0-9_-]+\z")
    env: str
    surface: str
    agentId: str
    input: dict[str, Any]
    output: dict[str, Any]
    pii_flags: dict[str, Any] = {}
    train_ok: bool = True
    metadata: dict[str, Any] = {}
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    seo_slug: str | None = None
    seo_title: str | None = None
    seo_description: str | None = None
    asset_alt_text: str | None = None
    analytics_event_type: str | None = None
    analytics_platform: str | None = None
    traceId: str | None = None
    requestId: str | None = None
    actorType: str | None = None

"""The shape of the onboarding overview."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from engines.bossman.freshness import Freshness, Status
from engines.logging.progress import Milestone, State


class NextStep(BaseModel):
    """What a tenant is to do next. ``command`` is null where no route does it."""

    milestone: Milestone
    words: str
    command: str | None


class TenantProgress(BaseModel):
    """One tenant in one env. Counts are of what Bossman accepted; null when they could not be read."""

    tenant_id: str
    env: str
    name: str
    rehearsal: bool
    state: State
    milestones: dict[Milestone, datetime | None]
    at_the_latest: bool
    missing: list[Milestone]
    next: NextStep | None
    newest_event_at: datetime | None
    events_24h: int | None
    trainable_share: float | None
    verdict: Status
    freshness: Freshness


class Overview(BaseModel):
    """GET /bossman/onboarding. ``cut`` says that a search found more than is shown."""

    tenants: list[TenantProgress]
    next_cursor: str | None
    cut: bool
    backfilling: bool
    order: Literal["most missing milestones first, among equals the longest silent first (to the hour)"] = (
        "most missing milestones first, among equals the longest silent first (to the hour)"
    )
    generated_at: datetime

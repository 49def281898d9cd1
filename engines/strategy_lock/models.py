"""The strategy lock, and what a caller may say about one."""

from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import GivenTime
from engines.common.documents import Address

STRATEGY_LOCKS = Address("strategy_locks")

LockScope = Literal["campaign", "budget", "kpi_corridor", "code_deploy", "app_toggle", "other"]
LockStatus = Literal["draft", "approved", "rejected", "expired"]


class StrategyLock(BaseModel):
    """A permission for some actions within a time window, once approved."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    tenant_id: str
    env: str
    surface: str | None = None
    scope: LockScope = Field(description="Informational: plays no part in matching")
    title: str
    description: str | None = None
    constraints: dict[str, Any] = Field(default={}, description="Informational: never evaluated")
    allowed_actions: list[str] = Field(default=[], description="Exact names, or * for every action")
    three_wise_id: str | None = None
    created_by_user_id: str
    approved_by_user_id: str | None = Field(default=None, description="Who approved or rejected it last")
    status: LockStatus = "draft"
    valid_from: datetime
    valid_until: datetime | None = None
    created_at: datetime
    updated_at: datetime


class LockBody(BaseModel):
    """A lock to create. Tenant and env are those of the request."""

    scope: LockScope
    title: str
    surface: str | None = None
    description: str | None = None
    constraints: dict[str, Any] = {}
    allowed_actions: list[str] = []
    three_wise_id: str | None = None
    valid_from: GivenTime | None = Field(default=None, description="Null or absent: now")
    valid_until: GivenTime | None = None


class LockPatch(BaseModel):
    """What to change of a lock; null or absent means unchanged, so nothing can be cleared."""

    title: str | None = None
    description: str | None = None
    constraints: dict[str, Any] | None = None
    allowed_actions: list[str] | None = None
    three_wise_id: str | None = None
    valid_until: GivenTime | None = None

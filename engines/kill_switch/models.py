"""The kill switch of a tenant and env, and what a caller may change of it."""

from datetime import datetime
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.documents import Address

KILL_SWITCHES = Address("kill_switches", "{tenant}_{env}")

ONLY_KEY = ""
"""There is one switch per tenant and env, so its document id needs nothing more."""


class KillSwitch(BaseModel):
    """What is turned off."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    tenant_id: str
    env: str
    disable_providers: list[str] = Field(default=[], description="Lower case; matched in any case")
    disable_autonomy: bool = Field(default=False, description="Stored; enforced nowhere")
    disabled_actions: list[str] = Field(default=[], description="Exact names, case kept")
    created_at: datetime
    updated_at: datetime


class KillSwitchBody(BaseModel):
    """What to set; a list replaces the whole list, null or absent means unchanged."""

    disable_providers: list[str] | None = None
    disable_autonomy: bool | None = None
    disabled_actions: list[str] | None = None

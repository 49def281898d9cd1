"""The firearms licence, and what a caller may say when issuing one."""

from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import GivenTime
from engines.common.documents import Address

FIREARMS_LICENCES = Address("firearms_licences")

Level = Literal["low", "medium", "high"]
LicenceStatus = Literal["active", "revoked", "expired"]


class Licence(BaseModel):
    """The right of one subject to dangerous actions up to a level."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    tenant_id: str
    env: str
    subject_type: str = Field(description="By convention agent, tool, surface or app")
    subject_id: str
    scope: str | None = Field(default=None, description="Informational: plays no part in matching")
    level: Level = "low"
    status: LicenceStatus = "active"
    issued_by: str | None = Field(default=None, description="As the caller said; never filled in here")
    issued_at: datetime
    expires_at: datetime | None = Field(default=None, description="Passing it does not change the status")
    metadata: dict[str, Any] = {}
    created_at: datetime
    updated_at: datetime


class LicenceBody(BaseModel):
    """A licence to issue; tenant and env must agree with the request's. Times default to now."""

    id: str | None = Field(default=None, description="An own id that is in use replaces that licence")
    tenant_id: str
    env: str
    subject_type: str
    subject_id: str
    scope: str | None = None
    level: Level = "low"
    status: LicenceStatus = "active"
    issued_by: str | None = None
    issued_at: GivenTime | None = None
    expires_at: GivenTime | None = None
    metadata: dict[str, Any] = {}
    created_at: GivenTime | None = None
    updated_at: GivenTime | None = None


class LicenceCheck(BaseModel):
    """Whether a subject may take an action."""

    allowed: bool


class DemoResult(BaseModel):
    """The demonstration of a dangerous action was allowed."""

    status: Literal["allowed"] = "allowed"

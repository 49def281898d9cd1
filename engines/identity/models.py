"""Users, tenants and memberships as they are stored."""

from datetime import datetime
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import utc_now
from engines.common.documents import Address
from engines.common.identity import Role

USERS = Address("identity_users")
TENANTS = Address("identity_tenants")
MEMBERSHIPS = Address("identity_memberships")
EMAILS = Address("identity_emails")
"""Reserves each e-mail address (key: see ``addresses``), so that two sign-ups cannot share it."""


def new_id() -> str:
    """A random id of 32 hexadecimal characters."""
    return uuid4().hex


class User(BaseModel):
    """A person who can sign in."""

    id: str = Field(default_factory=new_id)
    email: str
    display_name: str | None = None
    avatar_url: str | None = None
    password_hash: str | None = None
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class Tenant(BaseModel):
    """An organisation; every other record belongs to one."""

    id: str = Field(default_factory=lambda: f"t_{new_id()}")
    name: str
    slug: str | None = None
    status: Literal["active", "disabled", "suspended"] = "active"
    created_by: str | None = None
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class TenantMembership(BaseModel):
    """A user's role in a tenant; only ``active`` ones grant anything."""

    id: str = Field(default_factory=new_id)
    tenant_id: str
    user_id: str
    role: Role = "member"
    status: Literal["active", "pending", "revoked"] = "active"
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class EmailReservation(BaseModel):
    """Says which user an e-mail address belongs to."""

    user_id: str


class PublicUser(BaseModel):
    """A user as shown over HTTP."""

    id: str
    email: str
    display_name: str | None = None
    avatar_url: str | None = None


class TokenResponse(BaseModel):
    """Answer of sign-up, login and refresh."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    user: PublicUser
    tenant: Tenant | None = None
    memberships: list[TenantMembership]

"""Who asks, and for which tenant and env: RequestContext and AuthContext.

Pure: how a request is read lies in ``dependencies``. Precedence is the existing engines' own:
tenant = header, query, JSON body, token default; env = header, query, JSON body (never the token);
user = token subject, header, query, body; role = header, token (informational only).
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.documents import Scope
from engines.common.errors import BadRequest, Forbidden

TENANT_PATTERN = re.compile(r"t_[a-z0-9_-]+\Z")
Env = Literal["dev", "staging", "prod"]
Role = Literal["owner", "admin", "member", "viewer"]
ENVS: tuple[Env, ...] = get_args(Env)
ROLES: tuple[Role, ...] = get_args(Role)


class AuthContext(BaseModel):
    """What a verified token says: the only source of tenants and roles for authorisation."""

    user_id: str
    email: str = ""
    tenant_ids: list[str] = []
    default_tenant_id: str = ""
    role_map: dict[str, str] = {}
    provider: Literal["internal"] = "internal"
    claims: dict[str, Any] = {}


class RequestContext(BaseModel):
    """Tenant, env and actor of one request."""

    request_id: str = Field(default_factory=lambda: uuid4().hex)
    tenant_id: str
    env: Env
    user_id: str | None = None
    membership_role: Role | None = None
    auth_subject: str | None = None
    is_system: bool = False

    @property
    def scope(self) -> Scope:
        """Owner of every record this request may touch."""
        return Scope(self.tenant_id, self.env)


def normalise_env(value: str) -> Env | None:
    """The env in its stored form (lower case, ``stage`` → ``staging``), or None when it is none."""
    lowered = value.lower()
    lowered = "staging" if lowered == "stage" else lowered
    return next((env for env in ENVS if env == lowered), None)


def is_tenant_id(value: str) -> bool:
    """Whether ``value`` is a well-formed tenant id."""
    return TENANT_PATTERN.match(value) is not None


def resolve(
    headers: Mapping[str, str], query: Mapping[str, str], body: Mapping[str, Any], auth: AuthContext | None
) -> RequestContext:
    """Build the context of a request.

    ``body`` holds the JSON object of the request, empty when it has none. Raises Forbidden when the token
    does not name the tenant, BadRequest when tenant or env is missing or anything is malformed.
    """
    tenant = _first(headers.get("x-tenant-id"), query.get("tenant_id"))
    env = _first(headers.get("x-env"), query.get("env"))
    consulted: Mapping[str, Any] = {} if tenant and env else body
    tenant = tenant or _text(consulted, "tenant_id") or (auth.default_tenant_id if auth else "")
    env = env or _text(consulted, "env")
    if auth and tenant and tenant not in auth.tenant_ids:
        raise Forbidden("tenant mismatch with token")
    if not tenant or not env:
        raise BadRequest("tenant_id and env are required")
    user = _first(
        auth.user_id if auth else None,
        headers.get("x-user-id"),
        query.get("user_id"),
        _text(consulted, "user_id"),
    )
    token_role = auth.role_map.get(tenant) if auth else None
    context = {
        "tenant_id": _valid_tenant(tenant),
        "env": _valid_env(env),
        "user_id": user or None,
        "membership_role": _valid_role(_first(headers.get("x-membership-role"), token_role)),
    }
    request_id = headers.get("x-request-id")
    return RequestContext.model_validate(context | ({"request_id": request_id} if request_id else {}))


def check_body_scope(context: RequestContext, tenant_id: str | None, env: str | None) -> None:
    """Raise BadRequest when a body names another tenant or env than the context; empty values pass."""
    if tenant_id and tenant_id != context.tenant_id:
        raise BadRequest("tenant_id mismatch with request context")
    if env and normalise_env(env) != context.env:
        raise BadRequest("env mismatch with request context")


def _first(*values: str | None) -> str:
    return next((value for value in values if value), "")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _valid_tenant(value: str) -> str:
    if not is_tenant_id(value):
        raise BadRequest("invalid tenant_id: expected t_ followed by a-z, 0-9, _ or -")
    return value


def _valid_env(value: str) -> Env:
    env = normalise_env(value)
    if env is None:
        raise BadRequest("invalid env: expected dev, staging or prod")
    return env


def _valid_role(value: str) -> str | None:
    if value and value not in ROLES:
        raise BadRequest("invalid membership role: expected owner, admin, member or viewer")
    return value or None

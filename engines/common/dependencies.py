"""What a route asks for by type: its context, its token, its right to act.

Order of checks on every route: body is JSON (framework), request context, token, body and query
validation (framework), then membership, role and what else the handler checks.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from engines.common.bearer import auth_of
from engines.common.errors import Forbidden, Unauthorized
from engines.common.identity import AuthContext, RequestContext, resolve
from engines.common.tracing import identify

bearer_scheme = HTTPBearer(auto_error=False, description="Access token of /auth/login or /auth/signup")


async def _verified(request: Request) -> AuthContext | None:
    return auth_of(request.scope)


OptionalAuth = Annotated[AuthContext | None, Depends(_verified)]


async def _context(request: Request, auth: OptionalAuth) -> RequestContext:
    context = resolve(request.headers, request.query_params, await _json_object(request), auth)
    if auth:
        identify(context.tenant_id, context.env)
    return context


async def _json_object(request: Request) -> Mapping[str, Any]:
    """The body's JSON object; empty for any other body, which the framework then judges."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


CurrentContext = Annotated[RequestContext, Depends(_context)]


async def _required(auth: OptionalAuth, _: Annotated[object, Depends(bearer_scheme)]) -> AuthContext:
    if auth is None:
        raise Unauthorized("missing bearer token")
    return auth


CurrentAuth = Annotated[AuthContext, Depends(_required)]
"""The token alone, for routes without tenant and env."""


def require_role(context: RequestContext, auth: AuthContext, *allowed: str) -> None:
    """Raise Forbidden unless the token is a member of the tenant, with one of the roles if any is named."""
    if context.tenant_id not in auth.tenant_ids:
        raise Forbidden("tenant membership required")
    if allowed and auth.role_map.get(context.tenant_id) not in allowed:
        raise Forbidden("insufficient role for tenant")


class _HasRole:
    def __init__(self, *allowed: str) -> None:
        self._allowed = allowed

    async def __call__(self, context: CurrentContext, auth: CurrentAuth) -> RequestContext:
        require_role(context, auth, *self._allowed)
        return context


Member = Annotated[RequestContext, Depends(_HasRole())]
"""Context of a request whose token is a member of its tenant."""

OwnerOrAdmin = Annotated[RequestContext, Depends(_HasRole("owner", "admin"))]
"""For routes without body and query: where there is one, it is judged before the role (require_role)."""

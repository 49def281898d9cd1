"""Users, tenants and tokens: HS256, no expiry, roles from the token alone."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from fastapi import HTTPException, Request

ENVS = {"dev": "dev", "stage": "staging", "staging": "staging", "prod": "prod"}


@dataclass(frozen=True)
class Caller:
    """Who asks, in which tenant and env."""

    tenant: str
    env: str
    user: str
    role: str

    def needs(self, *roles: str) -> None:
        """Raise 403 unless the token gives one of the roles."""
        if self.role not in roles:
            raise HTTPException(403, "insufficient role for tenant")

    def check(self, body: dict[str, Any]) -> None:
        """Raise 400 where a body names another tenant or env."""
        if body.get("tenant_id", self.tenant) != self.tenant:
            raise HTTPException(400, "tenant_id mismatch with request context")
        if ENVS.get(body.get("env", self.env)) != self.env:
            raise HTTPException(400, "env mismatch with request context")


@dataclass
class Identity:
    """All users of the process, by address."""

    secret: str
    users: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sign_up(self, body: dict[str, Any]) -> dict[str, Any]:
        """A new user, and with ``tenant_name`` a tenant of its own."""
        email = body["email"]
        if email in self.users:
            raise HTTPException(400, "user already exists")
        user = {"id": uuid4().hex, "email": email, "display_name": body.get("display_name")}
        tenant = {"id": f"t_{uuid4().hex}", "name": body.get("tenant_name"), "slug": None, "status": "active"}
        owned = [tenant] if body.get("tenant_name") else []
        memberships = [
            {
                "id": uuid4().hex,
                "tenant_id": one["id"],
                "user_id": user["id"],
                "role": "owner",
                "status": "active",
            }
            for one in owned
        ]
        self.users[email] = {"user": user, "password": body["password"], "memberships": memberships}
        return self._answer(email) | {"tenant": tenant if owned else None}

    def login(self, body: dict[str, Any]) -> dict[str, Any]:
        """A token for the right password."""
        known = self.users.get(body["email"])
        if known is None or known["password"] != body["password"]:
            raise HTTPException(401, "invalid credentials")
        return self._answer(body["email"])

    def refresh(self, request: Request) -> dict[str, Any]:
        """A token of the memberships as they are now."""
        return self._answer(self._claims(request)["email"])

    async def caller(self, request: Request) -> Caller:
        """The context of a request. Raises 400, 401, 403 in the order of the existing engines."""
        bearer = request.headers.get("authorization", "").lower().startswith("bearer ")
        claims = self._claims(request) if bearer else {}
        asked = {"tenant_id": request.headers.get("x-tenant-id"), "env": request.headers.get("x-env")}
        body = await _body(request)
        found = {
            name: value or request.query_params.get(name) or body.get(name) for name, value in asked.items()
        }
        tenant = found["tenant_id"] or claims.get("default_tenant_id")
        if claims and tenant not in claims["tenant_ids"]:
            raise HTTPException(403, "tenant mismatch with token")
        if not tenant or not found["env"]:
            raise HTTPException(400, "tenant_id and env are required")
        if not bearer:
            raise HTTPException(401, "missing bearer token")
        return Caller(tenant, ENVS[found["env"].lower()], claims["sub"], claims["role_map"][tenant])

    def _answer(self, email: str) -> dict[str, Any]:
        known = self.users[email]
        return {
            "access_token": self._token(known),
            "token_type": "bearer",
            "user": known["user"] | {"avatar_url": None},
            "tenant": None,
            "memberships": known["memberships"],
        }

    def _token(self, known: dict[str, Any]) -> str:
        roles = {one["tenant_id"]: one["role"] for one in known["memberships"]}
        claims = {
            "sub": known["user"]["id"],
            "email": known["user"]["email"],
            "tenant_ids": list(roles),
            "default_tenant_id": next(iter(roles), ""),
            "role_map": roles,
        }
        signed = ".".join(_text(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{signed}.{self._signature(signed)}"

    def _claims(self, request: Request) -> dict[str, Any]:
        token = request.headers.get("authorization", " ").partition(" ")[2]
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(signed)):
            raise HTTPException(401, "invalid token: signature")
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        return claims

    def _signature(self, signed: str) -> str:
        made = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _text(part: dict[str, Any]) -> str:
    text = json.dumps(part, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def _body(request: Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""Internal access tokens: HS256, claims sub, email, tenant_ids, default_tenant_id, role_map."""

from typing import Any

import jwt
from pydantic import ValidationError

from engines.common.errors import Unauthorized
from engines.common.identity import AuthContext
from engines.identity.models import TenantMembership, User


class Tokens:
    """Signs and verifies tokens with one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, user: User, memberships: list[TenantMembership]) -> str:
        """A token for the user with the roles of ``memberships``, which must be the active ones."""
        claims: dict[str, Any] = {
            "default_tenant_id": memberships[0].tenant_id if memberships else "",
            "email": user.email,
            "role_map": {m.tenant_id: m.role for m in sorted(memberships, key=lambda m: m.tenant_id)},
            "sub": user.id,
            "tenant_ids": [m.tenant_id for m in memberships],
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def verify(self, token: str) -> AuthContext:
        """What the token says. Unauthorized for another algorithm, signature or shape, or a past exp."""
        options: Any = {"require": ["sub"], "verify_aud": False, "verify_iss": False}
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options=options)
            return AuthContext.model_validate(claims | {"user_id": claims["sub"], "claims": claims})
        except jwt.PyJWTError as error:
            raise Unauthorized(f"invalid token: {_reason(error)}") from error
        except ValidationError as error:
            raise Unauthorized("invalid token: malformed claims") from error


def _reason(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.ExpiredSignatureError):
        return "expired"
    if isinstance(error, jwt.InvalidAlgorithmError):
        return "algorithm not allowed"
    if isinstance(error, jwt.InvalidSignatureError):
        return "signature does not match"
    return "malformed token" if isinstance(error, jwt.DecodeError) else str(error).lower()

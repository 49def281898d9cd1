"""Internal access tokens: HS256, claims sub, email, tenant_ids, default_tenant_id, role_map."""

from math import isfinite
from typing import Any

import jwt
from pydantic import ValidationError

from engines.common.errors import Unauthorized
from engines.common.identity import AuthContext
from engines.identity.models import TenantMembership, User

MAX_DEPTH = 20
"""Of nested claims."""


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
            _check_showable(claims)
            return AuthContext.model_validate(claims | {"user_id": claims["sub"], "claims": claims})
        except jwt.PyJWTError as error:
            raise Unauthorized(f"invalid token: {_reason(error)}") from error
        except (ValidationError, ValueError, ArithmeticError, TypeError, RecursionError) as error:
            # The library lets times pass that no number can hold: signed is not the same as sensible.
            raise Unauthorized("invalid token: malformed claims") from error


def _check_showable(claims: Any, depth: int = 0) -> None:
    """Raise ValueError for claims that no JSON answer can show."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(claims, dict):
        for name, value in claims.items():
            name.encode()
            _check_showable(value, depth + 1)
    elif isinstance(claims, list):
        for value in claims:
            _check_showable(value, depth + 1)
    elif isinstance(claims, str):
        claims.encode()
    elif isinstance(claims, float) and not isfinite(claims):
        raise ValueError("not a finite number")


def _reason(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.ExpiredSignatureError):
        return "expired"
    if isinstance(error, jwt.InvalidAlgorithmError):
        return "algorithm not allowed"
    if isinstance(error, jwt.InvalidSignatureError):
        return "signature does not match"
    return "malformed token" if isinstance(error, jwt.DecodeError) else str(error).lower()

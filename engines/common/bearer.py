"""The token of a request, verified once however many ask for it."""

from typing import Protocol

from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers
from starlette.types import Scope

from engines.common.identity import AuthContext

VERIFIED = "northstar.auth"
"""Key of the scope under which it is kept."""


class TokenVerifier(Protocol):
    """Turns a bearer token into what it says, or refuses it."""

    def verify(self, token: str) -> AuthContext:
        """Raises Unauthorized with the reason."""
        ...


def auth_of(scope: Scope) -> AuthContext | None:
    """What the token says, None without one. Raises Unauthorized."""
    if VERIFIED not in scope:
        scheme, token = get_authorization_scheme_param(Headers(scope=scope).get("authorization"))
        if scheme.lower() != "bearer" or not token:
            return None
        verifier: TokenVerifier = scope["app"].state.services.tokens
        scope[VERIFIED] = verifier.verify(token)
    auth: AuthContext = scope[VERIFIED]
    return auth

"""The operator's session: a signed cookie that lasts some hours; the key itself is never in it.

It is signed with the key, so a changed key ends every session. Read by the overview's page alone.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

COOKIE = "bossman_operator"
PATH = "/bossman/onboarding"
LASTS = timedelta(hours=8)


def start(response: Response, request: Request, key: SecretStr, now: datetime) -> None:
    """Begin a session. Strict: no request that another site causes carries it."""
    said = f"{int((now + LASTS).timestamp())}.{secrets.token_urlsafe(16)}"
    response.set_cookie(
        COOKIE,
        f"{said}.{_signature(key, said)}",
        max_age=int(LASTS.total_seconds()),
        path=PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def end(response: Response, request: Request) -> None:
    """Take the session out of the browser."""
    secure = request.url.scheme == "https"
    response.delete_cookie(COOKIE, path=PATH, secure=secure, httponly=True, samesite="strict")


def is_signed_in(request: Request, key: SecretStr | None, now: datetime) -> bool:
    """Whether the browser's session was begun here with the present key and has not expired."""
    said, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
    expires = said.partition(".")[0]
    if key is None or not (expires.isascii() and expires.isdigit()) or len(expires) > 11:
        return False
    known = hmac.compare_digest(signature.encode(errors="replace"), _signature(key, said).encode())
    return known and int(expires) > now.timestamp()


def _signature(key: SecretStr, said: str) -> str:
    purpose = f"bossman onboarding session {said}".encode(errors="replace")
    return hmac.new(key.get_secret_value().encode(), purpose, hashlib.sha256).hexdigest()

"""Sessions of the pages: signed, with an end on the server.

Each kind has an audience and a key derived from a secret of its own, so that no session is an access token or
a session of another kind, and no access token is a session. One that is ended before its time is remembered
until then.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from pydantic import BaseModel, SecretStr, ValidationError

from engines.common.clock import Clock, GivenTime
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, Span
from engines.common.errors import Unauthorized

ENDED = Address("identity_sessions_ended")
MOST_FORGOTTEN = 100
"""Past records that each end removes: more than it adds, so that the collection stays small."""

ALGORITHM = "HS256"


class EndedSession(BaseModel):
    """A session that was ended before its time."""

    id: str
    expires_at: GivenTime


class _Claims(BaseModel):
    jti: str
    exp: int
    data: dict[str, Any]


class Sessions:
    """Begins, reads and ends the sessions of one kind. ``secret`` None closes them all."""

    def __init__(
        self, store: DocumentStore, secret: SecretStr | None, kind: str, lasts: timedelta, clock: Clock
    ) -> None:
        self.lasts = lasts
        self._store = store
        self._ended = Collection(store, ENDED, EndedSession)
        self._key = _derived(secret, kind) if secret else None
        self._kind = kind
        self._clock = clock

    def begin(self, data: Mapping[str, Any]) -> str:
        """A new session that holds ``data``, as text for a cookie. Raises Unauthorized when closed."""
        if self._key is None:
            raise Unauthorized("no session can begin: its secret is not set")
        expires = int((self._clock() + self.lasts).timestamp())
        claims = {"aud": self._kind, "jti": uuid4().hex, "exp": expires, "data": dict(data)}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    async def read(self, session: str) -> dict[str, Any]:
        """What the session holds. Raises Unauthorized for one that is none, expired or ended; StoreError."""
        claims = self._claims(session)
        if await self._ended.get(SYSTEM, claims.jti):
            raise Unauthorized("the session has ended")
        return claims.data

    async def end(self, session: str) -> None:
        """End the session everywhere. Nothing for one that is none or has ended. Raises StoreError."""
        try:
            claims = self._claims(session)
        except Unauthorized:
            return
        expires_at = datetime.fromtimestamp(claims.exp, self._clock().tzinfo)
        ended = EndedSession(id=claims.jti, expires_at=expires_at)
        past = await self._ended.find(
            SYSTEM, order_by="expires_at", limit=MOST_FORGOTTEN, span=Span(end=self._clock())
        )
        forgotten = [self._ended.deletion(SYSTEM, stored.record.id) for stored in past]
        await self._store.put_all([self._ended.write(SYSTEM, ended.id, ended), *forgotten])

    def _claims(self, session: str) -> _Claims:
        if self._key is None:
            raise Unauthorized("not signed in")
        # The time is judged by our own clock below.
        options: Any = {"require": ["aud", "exp", "jti"], "verify_exp": False}
        try:
            found = jwt.decode(
                session, self._key, algorithms=[ALGORITHM], audience=self._kind, options=options
            )
            claims = _Claims.model_validate(found)
        except (jwt.PyJWTError, ValidationError) as error:
            raise Unauthorized("not signed in") from error
        if claims.exp <= self._clock().timestamp():
            raise Unauthorized("the session has ended")
        return claims


def cookie_suffix(secret: SecretStr) -> str:
    """Names this stack's cookies, as browsers share cookies among the ports of a host. Reveals no secret."""
    return _derived(secret, "names of cookies").hex()[:8]


def _derived(secret: SecretStr, purpose: str) -> bytes:
    return hmac.new(
        secret.get_secret_value().encode(), f"bossman {purpose}".encode(), hashlib.sha256
    ).digest()

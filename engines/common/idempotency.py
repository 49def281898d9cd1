"""Idempotency-Key: a request that is repeated under the same key stores once.

As the IETF draft "The Idempotency-Key HTTP Header Field" has it: a quoted string that the caller makes up,
one for each thing to be stored. The key's record is written in the same atomic step as what the request
stores, so it does not matter whether the first answer was lost, came late, or never came. A key belongs to
one route and one user of a tenant and env.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from engines.common.collection import Collection
from engines.common.dependencies import OptionalAuth
from engines.common.documents import Address, DocumentStore, KeyTaken, Scope, Write
from engines.common.errors import BadRequest, Unprocessable

KEYS = Address("idempotency_keys")
HEADER = "Idempotency-Key"
OTHER_BODY = f"this {HEADER} was used with another body: take a new one"
_FORM = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"|([!#-\[\]-~]{1,255})')
_FORM_SAID = f"{HEADER} takes a string of 1 to 255 printable ASCII characters, in double quotes"


class KeyRecord(BaseModel):
    """What was stored under a key. Its document's id is a hash of whose key it is."""

    tenant_id: str
    env: str
    fingerprint: str
    """SHA-256 of the request that used it."""
    ids: list[str]
    """What the request stored, in order."""
    created_at: datetime


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key on one route; ``name`` and ``fingerprint`` are SHA-256 in hex."""

    name: str
    fingerprint: str

    def write(self, store: DocumentStore, scope: Scope, ids: Sequence[str], now: datetime) -> Write:
        """The key's record, as part of the step that stores ``ids``: KeyTaken where it was used before."""
        record = KeyRecord(
            tenant_id=scope.tenant_id,
            env=scope.env,
            fingerprint=self.fingerprint,
            ids=list(ids),
            created_at=now,
        )
        return _records(store).write(scope, self._document(scope), record, create=True)

    async def stored(self, store: DocumentStore, scope: Scope) -> list[str] | None:
        """What an earlier request stored under the key, None for none.

        Raises Unprocessable where that request was another one, StoreError.
        """
        found = await _records(store).get(scope, self._document(scope))
        if found is None:
            return None
        if found.record.fingerprint != self.fingerprint:
            raise Unprocessable(OTHER_BODY)
        return found.record.ids

    def event_id(self, scope: Scope) -> str:
        """The id of the event that the request sends: the same for each repetition."""
        return self._document(scope)[:32]

    def _document(self, scope: Scope) -> str:
        # Ids are one space for all tenants: nobody's key is in another's way.
        return _sha256([scope.tenant_id, scope.env, self.name])


async def stored_before(
    key: IdempotencyKey | None, store: DocumentStore, scope: Scope, taken: KeyTaken
) -> list[str]:
    """What the request stored when it came before.

    Raises ``taken`` where it did not, Unprocessable, StoreError.
    """
    ids = await key.stored(store, scope) if key else None
    if ids is None:
        raise taken
    return ids


def _records(store: DocumentStore) -> Collection[KeyRecord]:
    return Collection(store, KEYS, KeyRecord)


def key_of(request: Request, given: str | None, caller: str, body: Any) -> IdempotencyKey | None:
    """The key ``given`` in the header of a caller's request, None without one. Raises BadRequest.

    ``body`` is what a repeated request must have in common with the first; never a password, as its hash
    is fast.
    """
    request.state.stores_once = given is not None
    if given is None:
        return None
    match = _FORM.fullmatch(given.strip())
    if not match:
        raise BadRequest(_FORM_SAID)
    whose = [request.method, request.url.path, caller, match[1] or match[2]]
    return IdempotencyKey(_sha256(whose), _sha256(body))


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


GivenText = Annotated[str | None, Header(alias=HEADER, description="Makes a repeated request store once")]


async def _of_request(
    request: Request,
    auth: OptionalAuth,
    given: GivenText = None,
) -> IdempotencyKey | None:
    # Without a key nothing is compared: the body is not parsed once more on the way of every event.
    body = None if given is None else await _body(request)
    return key_of(request, given, auth.user_id if auth else "", body)


async def _body(request: Request) -> Any:
    """The body's JSON; the framework judges what is none."""
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        return None


GivenKey = Annotated[IdempotencyKey | None, Depends(_of_request)]
"""The request's key, None where it has none."""

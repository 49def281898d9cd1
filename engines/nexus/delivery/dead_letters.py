"""Dead letters: events that the sink refused, kept with the reason until somebody replays them."""

import hashlib
from datetime import UTC, datetime

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, Scope, StoreRefused
from engines.nexus.backends.sink import Envelope, SinkDescription, SinkError
from engines.nexus.delivery.text import MAX_BYTES, plain, to_text

DEAD_LETTERS = Address("nexus_dead_letters")


class DeadLetter(BaseModel):
    """A refused event. ``envelope`` is its JSON; no list or log shows it."""

    key: str
    tenant_id: str
    env: str
    event_id: str
    refused_at: datetime
    sink: str
    target: str
    reason: str
    envelope: str
    accepted_hour: str | None = None
    """The hour of ``ingested_at`` of an event that had been accepted before the sink refused it."""


class DeadLetters:
    """The refused events in one store."""

    def __init__(self, store: DocumentStore, clock: Clock = utc_now) -> None:
        self._letters = Collection(store, DEAD_LETTERS, DeadLetter)
        self._clock = clock

    async def keep(
        self, envelope: Envelope, error: SinkError, sink: SinkDescription, *, accepted: bool = False
    ) -> None:
        """Keep a refused event; the same event refused again replaces its letter. Raises StoreError.

        ``accepted`` says that its caller was told that it is accepted.
        """
        text = to_text(envelope)
        if len(text) > MAX_BYTES:
            raise StoreRefused("the event is too large for a document")
        letter = DeadLetter(
            key=_key(envelope),
            tenant_id=envelope.event.tenantId,
            env=plain(envelope.event.env),
            event_id=envelope.event_id,
            refused_at=self._clock(),
            sink=sink.backend,
            target=sink.target,
            reason=error.cause,
            envelope=text,
            accepted_hour=_hour(envelope.ingested_at) if accepted else None,
        )
        await self._letters.put(_scope(letter), letter.key, letter)

    def changes(self, scope: Scope) -> int:
        """How often this process kept or removed a letter of the scope."""
        return self._letters.changes(scope)

    async def count(self, scope: Scope) -> int:
        """How many letters the scope has. Raises StoreError."""
        return await self._letters.count(scope)

    async def accepted(self, scope: Scope, hour: datetime) -> int:
        """How many letters of the hour are events that had been accepted. Raises StoreError."""
        return await self._letters.count(scope, {"accepted_hour": _hour(hour)})

    async def page(self, limit: int, tenant_id: str | None = None) -> list[DeadLetter]:
        """Letters of one tenant or of all, in no particular order. Raises StoreError."""
        where = {"tenant_id": tenant_id} if tenant_id else None
        return [stored.record for stored in await self._letters.find(SYSTEM, where, limit=limit)]

    async def remove(self, letter: DeadLetter) -> None:
        """Forget a letter. Raises StoreError."""
        await self._letters.delete(_scope(letter), letter.key)


def _scope(letter: DeadLetter) -> Scope:
    return Scope(letter.tenant_id, letter.env)


def _hour(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


def _key(envelope: Envelope) -> str:
    """One key per tenant, env and event id, none of which need be fit for a document id."""
    event = envelope.event
    identity = "\0".join((event.tenantId, event.env, envelope.event_id))
    return hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()

"""The outbox: events that are accepted but not in the sink yet, durable in the document store.

Keys sort by time of arrival, events of one batch lie together in their order. A batch that was tried on the
sink stays a batch, since some of it may be stored there; what was never tried may be sent in any company.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import count, takewhile
from uuid import uuid4

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, Scope, StoreTimeout, Write
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery.queue import Waiting
from engines.nexus.delivery.text import MAX_BYTES, from_text, plain

OUTBOX = Address("nexus_outbox")
PAGE = 500
PAGE_BYTES = 4_000_000


class OutboxEntry(BaseModel):
    """One waiting event. ``batch`` names the batch in which it was tried on the sink, if it was."""

    key: str
    batch: str
    tried: bool
    tenant_id: str
    env: str
    waiting_since: datetime
    envelope: str

    def opened(self) -> Envelope:
        """The event itself."""
        return from_text(self.envelope)


class Outbox:
    """The waiting events in one store. Each operation raises StoreError."""

    def __init__(self, store: DocumentStore, clock: Clock = utc_now) -> None:
        self.store = store
        self._entries = Collection(store, OUTBOX, OutboxEntry)
        self._clock = clock
        self._process = uuid4().hex[:8]
        self._numbers = count()
        self._page = PAGE

    async def add(self, batch: Sequence[Waiting], *, tried: bool) -> None:
        """Keep the events, all or none. ``tried`` says that the sink may hold some of them."""
        name = f"{self._clock():%Y%m%dT%H%M%S%f}-{next(self._numbers):08}-{self._process}"
        entries = [_entry(waiting, name, place, tried) for place, waiting in enumerate(batch)]
        await self.store.put_all(
            [self._entries.write(_scope(entry), entry.key, entry, create=True) for entry in entries]
        )

    async def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not await self._entries.find(SYSTEM, limit=1)

    async def next_group(self, sending: Sequence[str]) -> list[OutboxEntry]:
        """The oldest events that belong in one write: those of ``sending``, else a batch, else what fits."""
        page = await self._read_page()
        again = [entry for entry in page if entry.key in set(sending)]
        if again or not page:
            return again
        if page[0].tried:
            return await self._whole_batch(page)
        return _fitting(takewhile(lambda entry: not entry.tried, page))

    def deletion(self, entry: OutboxEntry) -> Write:
        """The entry's deletion as part of an atomic batch."""
        return self._entries.deletion(SYSTEM, entry.key)

    def changes(self, scope: Scope) -> int:
        """How often this process added events of the scope, or took any out."""
        return self._entries.changes(scope) + self._entries.changes(SYSTEM)

    async def depth(self, scope: Scope) -> int:
        """How many of the scope's events wait, counted by the store."""
        return await self._entries.count(scope)

    async def oldest_at(self, scope: Scope) -> datetime | None:
        """When the scope's oldest waiting event arrived."""
        found = await self._entries.find(scope, order_by="waiting_since", limit=1)
        return found[0].record.waiting_since if found else None

    async def _read_page(self) -> list[OutboxEntry]:
        """The oldest entries; fewer at a time as long as they are too large to be read in time."""
        try:
            page = await self._entries.find(SYSTEM, limit=self._page)
        except StoreTimeout:
            self._page = max(1, self._page // 4)
            raise
        self._page = min(PAGE, self._page * 2)
        return [stored.record for stored in page]

    async def _whole_batch(self, page: list[OutboxEntry]) -> list[OutboxEntry]:
        """All of the first entry's batch, also when the page ends within it."""
        batch = [entry for entry in page if entry.batch == page[0].batch]
        if len(batch) < len(page):
            return batch
        return [stored.record for stored in await self._entries.find(SYSTEM, {"batch": page[0].batch})]


def fits(waiting: Waiting) -> bool:
    """Whether a document can hold the event."""
    return len(waiting.text) + len(waiting.envelope.event.tenantId) <= MAX_BYTES


def _entry(waiting: Waiting, batch: str, place: int, tried: bool) -> OutboxEntry:
    event = waiting.envelope.event
    return OutboxEntry(
        key=f"{batch}-{place:04}",
        batch=batch,
        tried=tried,
        tenant_id=event.tenantId,
        env=plain(event.env),
        waiting_since=waiting.arrived_at,
        envelope=waiting.text,
    )


def _scope(entry: OutboxEntry) -> Scope:
    return Scope(entry.tenant_id, entry.env)


def _fitting(entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
    group: list[OutboxEntry] = []
    size = 0
    for entry in entries:
        size += len(entry.envelope)
        if group and size > PAGE_BYTES:
            break
        group.append(entry)
    return group

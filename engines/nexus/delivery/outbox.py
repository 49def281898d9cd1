"""The outbox: events that are accepted but not in the sink yet, durable in the document store.

Every tenant and env has a queue of its own. A batch that was tried on the sink stays together within its
queue, since some of it may be stored there; what was never tried may be sent in any company.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import uuid4

from pydantic import ValidationError

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import (
    SYSTEM,
    DocumentStore,
    Fields,
    Increment,
    KeyTaken,
    Scope,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    Write,
)
from engines.nexus.delivery.outbox_records import (
    OUTBOX,
    QUEUES,
    OutboxEntry,
    OutboxQueue,
    new_queue,
    queue_key,
)
from engines.nexus.delivery.queue import Limits, Waiting
from engines.nexus.delivery.text import MAX_BYTES

log = logging.getLogger(__name__)

PIECE = 50
"""Entries read at once: a document may be 1 MB, so this bounds memory and the time of a read."""


class OutboxFull(StoreError):
    """Too many events of this tenant and env wait already."""


@dataclass(frozen=True)
class Backlog:
    """How many events of a scope wait, and when the oldest arrived."""

    depth: int
    oldest_at: datetime | None


class Outbox:
    """The waiting events in one store. Each operation raises StoreError."""

    def __init__(
        self, store: DocumentStore, clock: Clock = utc_now, bound: int = Limits.outbox_events
    ) -> None:
        self.store = store
        self._entries = Collection(store, OUTBOX, OutboxEntry)
        self._queues = Collection(store, QUEUES, OutboxQueue)
        self._clock = clock
        self._bound = bound
        self._process = uuid4().hex[:8]
        self._numbers = count()
        self._adding: defaultdict[Scope, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def add(self, batch: Sequence[Waiting], *, tried: bool) -> None:
        """Keep the events of one scope, all or none. ``tried`` says that the sink may hold some of them.

        Raises OutboxFull when the scope has no room for them.
        """
        name = f"{self._clock():%Y%m%dT%H%M%S%f}-{next(self._numbers):08}-{self._process}"
        await self._append([_entry(waiting, name, tried) for waiting in batch], self._bound)

    async def move(self, entries: Sequence[OutboxEntry]) -> None:
        """Give entries of one scope, which have keys of the earlier layout, the next numbers of its queue."""
        await self._append(entries, None, [self._entries.deletion(SYSTEM, entry.key) for entry in entries])

    async def _append(
        self, entries: Sequence[OutboxEntry], bound: int | None, also: Sequence[Write] = ()
    ) -> None:
        # Two adds of one process to one queue would only make each other try again.
        async with self._adding[entries[0].scope]:
            try:
                await self._extend(entries, bound, also)
            except (KeyTaken, StoreUnavailable) as error:
                if isinstance(error, StoreTimeout) or not await self._count_uncounted(entries[0].scope):
                    raise
                await self._extend(entries, bound, also)

    async def _extend(self, entries: Sequence[OutboxEntry], bound: int | None, also: Sequence[Write]) -> None:
        """Entries and depth are one write: an add of unknown outcome counts if, and only if, it is there."""
        scope, length = entries[0].scope, len(entries)

        def extended(present: OutboxQueue | None) -> OutboxQueue:
            queue = present or new_queue(scope)
            if bound is not None and queue.depth + length > bound:
                raise OutboxFull(f"{queue.depth} events of this tenant wait for the sink already")
            return queue.model_copy(update={"tail": max(queue.head, queue.tail) + length})

        def numbered(queue: OutboxQueue) -> list[Write]:
            keys = map(queue.entry_key, range(queue.tail - length, queue.tail))
            named = [entry.model_copy(update={"key": key}) for entry, key in zip(entries, keys, strict=True)]
            return [*(self._entries.write(scope, entry.key, entry, create=True) for entry in named), *also]

        await self._queues.mutate(scope, queue_key(scope), extended, numbered)

    async def cover(self, scope: Scope, first: int, last: int) -> None:
        """Make the scope's queue reach over these numbers, whose entries exist."""

        def covering(present: OutboxQueue | None) -> OutboxQueue:
            if present is None or not present.depth:
                return new_queue(scope).model_copy(update={"head": first, "tail": last + 1})
            reach = {"head": min(present.head, first), "tail": max(present.tail, last + 1)}
            # What was being sent is counted from the head: with another head nobody knows it any more.
            sending = present.sending if reach["head"] == present.head else 0
            return present.model_copy(update=reach | {"sending": sending})

        await self._queues.mutate(scope, queue_key(scope), covering)

    async def queues(self) -> list[OutboxQueue]:
        """The queues of all that wait, and some that are empty by now."""
        found = await self.store.scan(QUEUES, SYSTEM)
        return [queue for document in found if (queue := _queue(document.fields))]

    async def forget(self, queue: OutboxQueue) -> None:
        """Remove a queue that is still empty."""
        await self.store.delete_if(QUEUES, queue.scope, queue.key, _is_empty)

    async def read(self, keys: Sequence[str]) -> list[Fields | None]:
        """The entries with these keys as they are stored, at most PIECE."""
        found = await self.store.get_all(OUTBOX, SYSTEM, keys)
        return [document.fields if document else None for document in found]

    def marked(self, queue: OutboxQueue, length: int) -> Write:
        """The note that the first ``length`` numbers of the queue are sent together, for an atomic batch."""
        return self._merge(queue, {"sending": length})

    def taken_out(self, queue: OutboxQueue, length: int, keys: Sequence[str]) -> list[Write]:
        """The first ``length`` numbers and their entries leave the queue, for an atomic batch."""
        deletions = [self._entries.deletion(SYSTEM, key) for key in keys]
        return [*deletions, self._merge(queue, {"head": Increment(length), "sending": 0})]

    def changes(self, scope: Scope) -> int:
        """How often this process added events of the scope, or took any out."""
        return self._entries.changes(scope) + self._entries.changes(SYSTEM)

    async def backlog(self, scope: Scope) -> Backlog:
        """What waits of the scope, in two or three reads whatever its depth."""
        while True:
            stored = await self._queues.get(scope, queue_key(scope))
            if stored is None or not stored.record.depth:
                return Backlog(0, None)
            queue = stored.record
            numbers = range(queue.head, min(queue.tail, queue.head + 2))
            for fields in await self.read([queue.entry_key(number) for number in numbers]):
                if fields is not None:
                    return Backlog(queue.depth, fields.get("waiting_since"))
            # Sent meanwhile, or there is a gap; the drain closes it.
            again = await self._queues.get(scope, queue_key(scope))
            if again and again.record.head == queue.head:
                return Backlog(queue.depth, stored.stored_at)

    async def depth(self) -> int:
        """How many events wait, of all scopes; costs one small document for each scope that waits."""
        return sum(queue.depth for queue in await self.queues())

    def _merge(self, queue: OutboxQueue, fields: Fields) -> Write:
        identity = {"key": queue.key, "tenant_id": queue.tenant_id, "env": queue.env}
        return Write(QUEUES, SYSTEM, queue.key, identity | fields, merge=True)

    async def _count_uncounted(self, scope: Scope) -> bool:
        """Whether entries lie where the next were to go; the queue reaches over them then.

        A store that was set back may hold entries of a later time than their queue.
        """
        stored = await self._queues.get(scope, queue_key(scope))
        queue = stored.record if stored else new_queue(scope)
        first = number = max(queue.head, queue.tail)
        while True:
            keys = [queue.entry_key(place) for place in range(number, number + PIECE)]
            found = await self.read(keys)
            there = next((place for place, fields in enumerate(found) if fields is None), PIECE)
            number += there
            if there < PIECE:
                break
        if number == first:
            return False
        await self.cover(scope, first, number - 1)
        return True


def fits(waiting: Waiting) -> bool:
    """Whether a document can hold the event."""
    return len(waiting.text) + len(waiting.envelope.event.tenantId) <= MAX_BYTES


def _entry(waiting: Waiting, batch: str, tried: bool) -> OutboxEntry:
    return OutboxEntry(
        key="",
        batch=batch,
        tried=tried,
        tenant_id=waiting.scope.tenant_id,
        env=waiting.scope.env,
        waiting_since=waiting.arrived_at,
        envelope=waiting.text,
    )


def _is_empty(fields: Fields) -> bool:
    return bool(fields.get("head", 0) >= fields.get("tail", 0))


def _queue(fields: Fields) -> OutboxQueue | None:
    try:
        return OutboxQueue.model_validate(fields)
    except ValidationError:
        log.warning("a queue of the outbox cannot be read and waits: %s", fields.get("key"))
        return None

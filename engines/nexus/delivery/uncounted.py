"""Entries that no queue counts get into one: those of the earlier layout, and what a restored store holds.

Only who holds the lease does this. The earlier layout had no queues: entries with keys by time of arrival.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pydantic import ValidationError

from engines.common.documents import SYSTEM, Document, StoreTimeout, StoreUnreadable
from engines.nexus.delivery.outbox import Outbox
from engines.nexus.delivery.outbox_records import OUTBOX, OutboxEntry, OutboxQueue, number_of, queue_key

log = logging.getLogger(__name__)

PAGE = 100
PORTION_BYTES = 4_000_000


class Uncounted:
    """Finds such entries in the outbox and counts them."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._page = PAGE

    async def count_in(self, queues: Iterable[OutboxQueue], sending: Sequence[str]) -> bool:
        """Count what ``queues`` do not; returns whether there was any. Raises StoreError.

        ``sending`` are keys of the earlier layout that were sent together.
        """
        known = {queue.key: queue for queue in queues}
        found = False
        while True:
            page = _readable(await self._read_page())
            old = [entry for entry in page if number_of(entry.key) is None]
            portions = [portion for _, own in _by_scope(old) for portion in _portions(own)]
            moved = [await self._move(portion, set(sending)) for portion in portions]
            found = found or any(moved)
            if not any(moved):
                counted = [await self._cover(list(own), known) for _, own in _by_scope(page) if not old]
                return found or any(counted)

    async def _move(self, entries: Sequence[OutboxEntry], sending: set[str]) -> bool:
        named = [
            entry.model_copy(update={"tried": True, "batch": "sending"}) if entry.key in sending else entry
            for entry in entries
        ]
        try:
            await self._outbox.move(named)
        except StoreUnreadable as error:
            log.warning("entries of the outbox wait for their queue: %s", error)
            return False
        return True

    async def _cover(self, entries: Sequence[OutboxEntry], known: dict[str, OutboxQueue]) -> bool:
        scope = entries[0].scope
        numbers = [number for entry in entries if (number := number_of(entry.key)) is not None]
        queue = known.get(queue_key(scope))
        first, last = min(numbers), max(numbers)
        if queue and first >= queue.head and last < queue.tail:
            return False
        try:
            await self._outbox.cover(scope, first, last)
        except StoreUnreadable as error:
            log.warning("entries of the outbox wait for their queue: %s", error)
            return False
        return True

    async def _read_page(self) -> list[Document]:
        """The first entries; fewer at a time as long as they are too large to be read in time."""
        try:
            page = await self._outbox.store.scan(OUTBOX, SYSTEM, limit=self._page)
        except StoreTimeout:
            self._page = max(1, self._page // 4)
            raise
        self._page = min(PAGE, self._page * 2)
        return page


def _by_scope(entries: Iterable[OutboxEntry]) -> Iterator[tuple[str, Iterator[OutboxEntry]]]:
    """The entries of each scope in the order of their keys."""
    ordered = sorted(entries, key=lambda entry: (queue_key(entry.scope), entry.key))
    return groupby(ordered, key=lambda entry: queue_key(entry.scope))


def _portions(entries: Iterable[OutboxEntry]) -> Iterator[list[OutboxEntry]]:
    """The entries in order, cut into writes of a size that a store takes."""
    portion: list[OutboxEntry] = []
    size = 0
    for entry in entries:
        size += len(entry.envelope)
        if portion and size > PORTION_BYTES:
            yield portion
            portion, size = [], len(entry.envelope)
        portion.append(entry)
    if portion:
        yield portion


def _readable(page: Sequence[Document]) -> list[OutboxEntry]:
    entries = []
    for document in page:
        try:
            entries.append(OutboxEntry.model_validate(document.fields))
        except ValidationError:
            log.warning("an entry of the outbox cannot be read and waits: %s", document.fields.get("key"))
    return entries

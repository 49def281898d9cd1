"""One turn of the drain: some events of every queue that waits, as one batch of bounded size.

First the oldest entry of each queue; then, queue by queue, the rest of a batch that was sent before and must
go out as it was; then what room is left, tenant by tenant in turns. Whoever found no room comes first in the
next turn.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from engines.common.documents import Fields, StoreError, StoreTimeout
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery.outbox import PIECE, Outbox
from engines.nexus.delivery.outbox_records import OutboxEntry, OutboxQueue

log = logging.getLogger(__name__)

TURN_EVENTS = 500
TURN_BYTES = 4_000_000
FEW = 4
"""As many entries are read one by one when they cannot be read together."""


@dataclass
class Room:
    """What still fits into the turn."""

    events: int
    size: int

    @property
    def left(self) -> bool:
        """Whether anything fits."""
        return self.events > 0 and self.size > 0


@dataclass
class Group:
    """What a turn sends of one queue: its first ``length`` numbers, some of which may have no entry."""

    queue: OutboxQueue
    keys: list[str] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    batch: str | None = None
    """Name of the tried batch that the group is; None when it was never tried."""
    length: int = 0
    asked: int = 0
    """How many of its numbers were read or are being read."""
    ended: bool = False
    cut: bool = False
    """Whether there was no room for something that belongs to the group."""
    unreadable: bool = False
    """Whether an entry that belongs to the group cannot be read."""

    @property
    def whole(self) -> bool:
        """Whether the group was sent before: then it goes out as it was, or not in this turn."""
        return self.queue.sending > 0 or self.batch is not None

    @property
    def ready(self) -> bool:
        """Whether it can be sent, or closes a gap."""
        broken = self.whole and (self.cut or self.unreadable or not self.ended)
        return self.length > 0 and not broken

    @property
    def stuck(self) -> bool:
        """Whether nothing of it can be sent because an entry cannot be read."""
        return self.unreadable and not self.ready

    @property
    def most(self) -> int:
        """As many numbers can belong to it."""
        return self.queue.sending or self.queue.depth

    def next_key(self) -> str | None:
        """The key to be read next, if any."""
        if self.ended or self.asked >= self.most:
            return None
        self.asked += 1
        return self.queue.entry_key(self.queue.head + self.asked - 1)

    def feed(self, fields: Fields | StoreError | None, room: Room, *, first: bool) -> None:
        """Take the next entry, unless it does not belong to the group or there is no room for it."""
        if self.ended:
            return
        if isinstance(fields, StoreError):
            self.unreadable = self.ended = True
            return
        if fields is not None and not self._take(fields, room, first):
            self.ended = True
            return
        self.length += 1
        self.ended = self.length >= self.most

    def _take(self, fields: Fields, room: Room, first: bool) -> bool:
        try:
            entry = OutboxEntry.model_validate(fields)
            envelope = entry.opened()
        except (ValueError, TypeError, RecursionError):
            # The text of the error may hold a payload.
            log.warning("an entry of the outbox cannot be read and waits: %s", fields.get("key"))
            self.unreadable = True
            return False
        if not self._belongs(entry):
            return False
        size = len(entry.envelope)
        if not first and (room.events < 1 or size > room.size):
            self.cut = True
            return False
        room.events -= 1
        room.size -= size
        self.keys.append(self.queue.entry_key(self.queue.head + self.length))
        self.envelopes.append(envelope)
        return True

    def _belongs(self, entry: OutboxEntry) -> bool:
        name = entry.batch if entry.tried else None
        if self.queue.sending:
            return True
        if not self.envelopes:
            if self.length and name:
                return False  # the gap is closed first, so that a whole batch is seen from its beginning
            self.batch = name
        return name == self.batch


class Turns:
    """Puts the turns together, and remembers who comes first in the next one."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._first = ""
        self._piece = PIECE

    async def next(self, queues: Sequence[OutboxQueue]) -> list[Group]:
        """Some of every queue, within the bounds of a turn; at least all that belongs to the first.

        Also the groups that are stuck. Raises StoreError.
        """
        ordered = sorted(queues, key=lambda queue: (queue.key < self._first, queue.key))
        groups, room = [Group(queue) for queue in ordered], Room(TURN_EVENTS, TURN_BYTES)
        await self._read(groups, room, _oldest(groups))
        reached = [group for group in groups if group.asked]
        for group in reached:
            if group.whole and (room.left or group is groups[0]):
                await self._read([group], room, _all_of(group), whole=group is groups[0])
        open_ones = [group for group in reached if not group.whole]
        await self._read(open_ones, room, _in_turns(open_ones))
        self._first = _next_first(groups)
        self._piece = min(PIECE, 2 * self._piece)
        return [group for group in groups if group.ready or group.stuck]

    async def _read(
        self, groups: Sequence[Group], room: Room, keys: Iterator[tuple[Group, str]], whole: bool = False
    ) -> None:
        first = groups[0] if groups else None
        while room.left or whole:
            piece = list(islice(keys, self._piece if whole else min(self._piece, room.events)))
            if not piece:
                return
            found = await self._entries([key for _, key in piece])
            for (group, _), fields in zip(piece, found, strict=True):
                group.feed(fields, room, first=whole or (group is first and not group.envelopes))

    async def _entries(self, keys: list[str]) -> Sequence[Fields | StoreError | None]:
        """Read a piece. What is too large to be read in time is read in smaller pieces in the next turn."""
        try:
            found = await self._outbox.read(keys)
        except StoreError as error:
            self._piece = max(1, self._piece // 4)
            if isinstance(error, StoreTimeout) and len(keys) > FEW:
                raise
            return await self._one_by_one(keys)
        return found

    async def _one_by_one(self, keys: list[str]) -> list[Fields | StoreError | None]:
        """Each entry, or why it cannot be read. Raises when none of several can: then it is the store."""
        found: list[Fields | StoreError | None] = []
        reads = (self._outbox.read([key]) for key in keys)
        for result in await asyncio.gather(*reads, return_exceptions=True):
            if isinstance(result, StoreError):
                found.append(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                found += result
        errors = [result for result in found if isinstance(result, StoreError)]
        if len(errors) == len(keys) > 1:
            raise errors[0]
        return found


def _oldest(groups: Sequence[Group]) -> Iterator[tuple[Group, str]]:
    for group in groups:
        if key := group.next_key():
            yield group, key


def _all_of(group: Group) -> Iterator[tuple[Group, str]]:
    while key := group.next_key():
        yield group, key


def _in_turns(groups: Sequence[Group]) -> Iterator[tuple[Group, str]]:
    """Key after key, one of each tenant in turns, whatever number of queues it has."""
    tenants: dict[str, deque[Group]] = {}
    for group in groups:
        tenants.setdefault(group.queue.tenant_id, deque()).append(group)
    while tenants:
        for tenant_id, line in list(tenants.items()):
            key = line[0].next_key()
            if key:
                yield line[0], key
                line.rotate(-1)
            elif len(line) > 1:
                line.popleft()
            else:
                del tenants[tenant_id]


def _next_first(groups: Sequence[Group]) -> str:
    """Key of the queue that begins the next turn: the first that found no room, else another than now."""
    for group in groups[1:]:
        if not group.asked or (group.whole and not group.ready):
            return group.queue.key
    return groups[1].queue.key if len(groups) > 1 else ""

"""The queue between callers and the sink: bounded, fair between tenants, in order within each."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from engines.common.documents import Scope
from engines.nexus.backends.sink import Envelope, SinkRetryable
from engines.nexus.delivery.text import plain


class Overloaded(SinkRetryable):
    """There is no room for the event now: nothing of it is kept."""


@dataclass(frozen=True)
class Limits:
    """Bounds of delivery. Times in seconds; sizes in bytes of JSON."""

    caller_seconds: float = 4.5
    """Longest time a caller waits for its event to become durable."""
    sink_seconds: float = 3.0
    """Of these, how long the sink is tried when there is an outbox; the outbox gets the rest."""
    margin_seconds: float = 0.1
    """What is left of them to answer."""
    floor_seconds: float = 1.0
    """What sink and outbox get at least, also when the oldest event of a batch has waited long."""
    drain_seconds: float = 5.0
    """How long the sink may take for a batch of the outbox; half the lease, the rest is for settling it."""
    flush_seconds: float = 8.0
    """How long a stop waits for what is queued."""
    writers: int = 2
    batch_events: int = 500
    batch_bytes: int = 4_000_000
    queue_events: int = 5_000
    queue_bytes: int = 32_000_000
    queue_tenant_events: int = 2_500
    """Of the queue, how much one tenant may take."""
    queue_tenant_bytes: int = 16_000_000
    outbox_events: int = 100_000
    """How many events of one tenant and env may wait in the outbox."""


@dataclass(frozen=True)
class Delivered:
    """The answer for one event: where it is durable, and whether the sink had its id already."""

    event_id: str
    durable_in: Literal["sink", "outbox"]
    duplicate: bool = False


@dataclass(eq=False)
class Waiting:
    """An event whose caller waits. ``since`` is the loop's time, ``arrived_at`` the clock's."""

    envelope: Envelope
    text: str
    since: float
    arrived_at: datetime
    answer: asyncio.Future[Delivered]

    @property
    def scope(self) -> Scope:
        """Owner of the event."""
        return Scope(self.envelope.event.tenantId, plain(self.envelope.event.env))

    def accept(self, answer: Delivered) -> None:
        """Answer the caller, if it still waits."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Fail the caller, if it still waits."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass
class _Use:
    """How much room a tenant or the whole takes."""

    events: int = 0
    size: int = 0

    def add(self, waiting: Waiting) -> None:
        self.events += 1
        self.size += len(waiting.text)

    def remove(self, waiting: Waiting) -> None:
        self.events -= 1
        self.size -= len(waiting.text)

    def is_over(self, waiting: Waiting, events: int, size: int) -> bool:
        """Whether one more is too much. Where nothing is any one has room."""
        return self.events > 0 and (self.events + 1 > events or self.size + len(waiting.text) > size)


class Queue:
    """Events that wait or are on their way. The bounds hold for both together.

    Each tenant has a line of its own, first come first served; batches take one of each line in turns.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines: dict[str, deque[Waiting]] = {}
        self._turns: deque[str] = deque()
        self._under_way: set[Waiting] = set()
        self._whole = _Use()
        self._tenants: dict[str, _Use] = {}

    def __len__(self) -> int:
        return self._whole.events

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._under_way
        for line in self._lines.values():
            yield from line

    def add(self, waiting: Waiting, target: str) -> None:
        """Queue the event. Raises Overloaded when there is no room for it, or for more of its tenant."""
        limits, tenant_id = self._limits, _tenant(waiting)
        use = self._tenants.get(tenant_id, _Use())
        if self._whole.is_over(waiting, limits.queue_events, limits.queue_bytes):
            raise Overloaded(target, "too many events wait for the sink, try again later")
        if use.is_over(waiting, limits.queue_tenant_events, limits.queue_tenant_bytes):
            raise Overloaded(target, "too many events of this tenant wait for the sink, try again later")
        if tenant_id not in self._lines:
            self._lines[tenant_id] = deque()
            self._turns.append(tenant_id)
        self._lines[tenant_id].append(waiting)
        self._whole.add(waiting)
        self._tenants.setdefault(tenant_id, use).add(waiting)

    def take(self) -> list[Waiting]:
        """The next batch: what waits, within the bounds of a batch. Whoever left is not sent."""
        batch: list[Waiting] = []
        size = 0
        while self._turns and len(batch) < self._limits.batch_events:
            following = self._lines[self._turns[0]][0]
            length = len(following.text)
            if following.answer.done():
                self._free(following)
            elif batch and size + length > self._limits.batch_bytes:
                break
            else:
                batch.append(following)
                size += length
            self._advance()
        self._under_way.update(batch)
        return batch

    def done(self, batch: list[Waiting]) -> None:
        """Forget a batch that was taken."""
        self._under_way.difference_update(batch)
        for waiting in batch:
            self._free(waiting)

    def _advance(self) -> None:
        """The first of the line whose turn it is leaves it; then it is the next tenant's turn."""
        tenant_id = self._turns.popleft()
        self._lines[tenant_id].popleft()
        if self._lines[tenant_id]:
            self._turns.append(tenant_id)
        else:
            del self._lines[tenant_id]

    def _free(self, waiting: Waiting) -> None:
        self._whole.remove(waiting)
        use = self._tenants[_tenant(waiting)]
        use.remove(waiting)
        if not use.events:
            del self._tenants[_tenant(waiting)]


def _tenant(waiting: Waiting) -> str:
    return waiting.envelope.event.tenantId
